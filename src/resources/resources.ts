import type { JobSpec } from '../jobs/spec.ts';
import { parseSize } from '../units.ts';

/** Amounts of what a runner has and a job takes. Whole numbers, so that sums never drift. */
export interface Resources {
  /** Thousandths of a processor. */
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly gpu: number;
  readonly diskBytes: number;
  /** Thousandths of a custom unit, by name. */
  readonly custom: Readonly<Record<string, number>>;
}

const NO_CUSTOM: Resources['custom'] = Object.freeze({});

export const ZERO: Resources = { cpuMilli: 0, memoryBytes: 0, gpu: 0, diskBytes: 0, custom: NO_CUSTOM };

/** What a job takes whose spec says nothing. */
const DEFAULT_DEMAND: Resources = { ...ZERO, cpuMilli: 1000 };

/** @throws Rejection `invalidRequest` for a size that cannot be read */
export function fromSpec(resources: JobSpec['resources']): Resources {
  if (resources === undefined) return DEFAULT_DEMAND;
  const { cpu, memory, gpu, disk, custom } = resources;
  return {
    cpuMilli: cpu === undefined ? DEFAULT_DEMAND.cpuMilli : toMilli(cpu),
    memoryBytes: memory === undefined ? 0 : parseSize(memory),
    gpu: gpu ?? 0,
    diskBytes: disk === undefined ? 0 : parseSize(disk),
    custom: custom === undefined ? NO_CUSTOM : mapAmounts(custom, toMilli),
  };
}

export function add(a: Resources, b: Resources): Resources {
  return combine(a, b, 1);
}

/** The result may be below zero: a runner that came back smaller still holds what runs there. */
export function subtract(a: Resources, b: Resources): Resources {
  return combine(a, b, -1);
}

export function fits(demand: Resources, free: Resources): boolean {
  if (demand.cpuMilli > free.cpuMilli || demand.memoryBytes > free.memoryBytes) return false;
  if (demand.gpu > free.gpu || demand.diskBytes > free.diskBytes) return false;
  if (demand.custom === NO_CUSTOM) return true;
  for (const name in demand.custom) if (amountOf(demand.custom, name) > amountOf(free.custom, name)) return false;
  return true;
}

/** An amount of a custom resource; 0 for one that is not there. */
export function amountOf(custom: Resources['custom'], name: string): number {
  return Object.hasOwn(custom, name) ? (custom[name] ?? 0) : 0;
}

/** Rounded up, so that a little is never nothing; first to millionths, because 0.1 × 3 is a little more than 0.3. */
function toMilli(amount: number): number {
  return Math.ceil(Math.round(amount * 1e6) / 1e3);
}

function combine(a: Resources, b: Resources, sign: 1 | -1): Resources {
  return {
    cpuMilli: a.cpuMilli + sign * b.cpuMilli,
    memoryBytes: a.memoryBytes + sign * b.memoryBytes,
    gpu: a.gpu + sign * b.gpu,
    diskBytes: a.diskBytes + sign * b.diskBytes,
    custom: combineCustom(a.custom, b.custom, sign),
  };
}

function combineCustom(a: Resources['custom'], b: Resources['custom'], sign: 1 | -1): Resources['custom'] {
  if (b === NO_CUSTOM) return a;
  const names = Object.keys(b);
  if (names.length === 0) return a;
  const sum = { ...a };
  for (const name of names) sum[name] = amountOf(a, name) + sign * amountOf(b, name);
  return sum;
}

export function mapAmounts(custom: Resources['custom'], change: (amount: number) => number): Resources['custom'] {
  return Object.fromEntries(Object.entries(custom).map(([name, amount]) => [name, change(amount)]));
}
