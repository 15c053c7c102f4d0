import { formatConstraint, matches } from '../resources/constraint.ts';
import type { RunnerRecord } from '../state/records.ts';
import { demandsOf } from './demands.ts';
import { couldHold, type Wanted } from './feasibility.ts';

/** Why no runner that the cluster knows could ever hold a job, were it empty. */
export interface Infeasible {
  readonly message: string;
  /** Of the spec; null where it takes several together. */
  readonly field: string | null;
}

/** @returns null: some runner could */
export function whyInfeasible(known: Iterable<RunnerRecord>, wanted: Wanted): Infeasible | null {
  const runners = [...known];
  if (runners.some((runner) => couldHold(runner, wanted))) return null;
  const none = `none of the ${runners.length} runners`;
  for (const [i, constraint] of wanted.constraints.entries()) {
    if (runners.some(({ labels }) => matches(constraint, labels))) continue;
    return { message: `${none} meets ${formatConstraint(constraint)}`, field: `constraints[${i}]` };
  }
  for (const { field, wanted: amount, of, perUnit } of demandsOf(wanted)) {
    const most = Math.max(0, ...runners.map(({ total }) => of(total)));
    if (amount <= most) continue;
    return {
      message: `${none} has as much: it asks for ${amount / perUnit}, the most that one has is ${most / perUnit}`,
      field,
    };
  }
  return { message: `${none} has all that it asks for, though some have each part of it`, field: null };
}
