import type { QueueLimits } from '../jobs/queue-settings.ts';
import { LIMITS } from '../limits.ts';
import { add, amountOf, type Resources, subtract, ZERO } from '../resources/resources.ts';

/** What live attempts take. */
export interface Use {
  readonly running: number;
  readonly taken: Resources;
}

export const NO_USE: Use = { running: 0, taken: ZERO };

export function withOneMore({ running, taken }: Use, demand: Resources): Use {
  return { running: running + 1, taken: add(taken, demand) };
}

export function withOneLess({ running, taken }: Use, demand: Resources): Use {
  return { running: running - 1, taken: subtract(taken, demand) };
}

/** The runners of the cluster together. */
export interface Capacity {
  readonly runners: number;
  readonly total: Resources;
}

/**
 * The part that is taken of the resource of which the largest part is (dominant resource fairness, Ghodsi et al. 2011).
 * How many attempts runners may hold is one more resource, so that what takes nothing else has a share too.
 */
export function dominantShare({ running, taken }: Use, { runners, total }: Capacity): number {
  let share = Math.max(
    part(running, runners * LIMITS.runnerAttempts),
    part(taken.cpuMilli, total.cpuMilli),
    part(taken.memoryBytes, total.memoryBytes),
    part(taken.gpu, total.gpu),
    part(taken.diskBytes, total.diskBytes),
  );
  for (const name in taken.custom) {
    share = Math.max(share, part(amountOf(taken.custom, name), amountOf(total.custom, name)));
  }
  return share;
}

/** A limit that one more job would pass. Amounts in the units of `Resources`. */
export interface LimitInTheWay {
  readonly limit: keyof QueueLimits;
  readonly wanted: number;
  readonly used: number;
  readonly most: number;
}

/** The first in the way; null: none is. */
export function limitInTheWay(use: Use, limits: QueueLimits, demand: Resources): LimitInTheWay | null {
  return (
    passing('running', 1, use.running, limits.running) ??
    passing('cpuMilli', demand.cpuMilli, use.taken.cpuMilli, limits.cpuMilli) ??
    passing('memoryBytes', demand.memoryBytes, use.taken.memoryBytes, limits.memoryBytes)
  );
}

/** No job at all may be added. */
export function isFull({ running }: Use, limits: QueueLimits): boolean {
  return limits.running !== null && running >= limits.running;
}

/** A job that takes none of a resource is not kept by its limit, however much was taken before the limit was set. */
function passing(limit: keyof QueueLimits, wanted: number, used: number, most: number | null): LimitInTheWay | null {
  return most === null || wanted === 0 || used + wanted <= most ? null : { limit, wanted, used, most };
}

function part(taken: number, total: number): number {
  return total <= 0 ? 0 : taken / total;
}
