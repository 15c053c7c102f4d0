import { amountOf, type Resources } from '../resources/resources.ts';
import type { Wanted } from './feasibility.ts';

/** What a job asks of one resource. */
export interface Demand {
  /** A name of `Resources`, or of a custom one. */
  readonly resource: string;
  /** In its units, of which so many make one as specs write it. */
  readonly wanted: number;
  readonly perUnit: number;
  /** Where a spec names it. */
  readonly field: string;
  readonly of: (resources: Resources) => number;
}

const KINDS = [
  { resource: 'cpuMilli', field: 'resources.cpu', perUnit: 1000 },
  { resource: 'memoryBytes', field: 'resources.memory', perUnit: 1 },
  { resource: 'gpu', field: 'resources.gpu', perUnit: 1 },
  { resource: 'diskBytes', field: 'resources.disk', perUnit: 1 },
] as const;

export function demandsOf({ demand }: Pick<Wanted, 'demand'>): Demand[] {
  const demands: Demand[] = KINDS.map(({ resource, field, perUnit }) => ({
    resource,
    field,
    wanted: demand[resource],
    perUnit,
    of: (resources) => resources[resource],
  }));
  for (const resource of Object.keys(demand.custom)) {
    const of = ({ custom }: Resources): number => amountOf(custom, resource);
    demands.push({ resource, field: `resources.custom.${resource}`, wanted: of(demand), perUnit: 1000, of });
  }
  return demands;
}
