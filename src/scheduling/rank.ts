import type { QueueSettings } from '../jobs/queue-settings.ts';
import { amountOf, type Resources } from '../resources/resources.ts';

/** Uniform in [0, 1). */
export type Random = () => number;

/** Something a job can be placed on. */
export interface Seat {
  readonly total: Resources;
  readonly free: Resources;
  readonly attempts: number;
}

/** Up to here all candidates are compared; of more, two random ones: nearly as even, and the cost stays the same. */
export const COMPARE_ALL_UP_TO = 32;
/** Random runners that are looked at for two that have room, before all of them are. */
export const PROBES = 16;

/** The part of the scarcest resource that is taken once the job is there; spreading wants it small, packing large. */
function takenShare({ total, free }: Seat, demand: Resources): number {
  let share = Math.max(
    part(total.cpuMilli, free.cpuMilli, demand.cpuMilli),
    part(total.memoryBytes, free.memoryBytes, demand.memoryBytes),
    part(total.gpu, free.gpu, demand.gpu),
    part(total.diskBytes, free.diskBytes, demand.diskBytes),
  );
  for (const name of Object.keys(demand.custom)) {
    const wanted = amountOf(demand.custom, name);
    share = Math.max(share, part(amountOf(total.custom, name), amountOf(free.custom, name), wanted));
  }
  return share;
}

/** Smaller where a queue of this strategy prefers its jobs to go. */
export function costAt(seat: Seat, demand: Resources, strategy: QueueSettings['strategy']): number {
  const share = takenShare(seat, demand);
  return strategy === 'spread' ? share : -share;
}

/** The candidate of the smallest cost, then of the fewest attempts, then by chance. */
export function pickBest<Candidate extends Seat>(
  candidates: readonly Candidate[],
  costOf: (candidate: Candidate) => number,
  random: Random,
): Candidate | null {
  let best: Candidate | null = null;
  let bestCost = 0;
  let equals = 0;
  for (const candidate of candidates) {
    const cost = costOf(candidate);
    const order = best === null ? -1 : cost - bestCost || candidate.attempts - best.attempts;
    if (order > 0) continue;
    equals = order === 0 ? equals + 1 : 1;
    if (order === 0 && random() * equals >= 1) continue;
    best = candidate;
    bestCost = cost;
  }
  return best;
}

function part(total: number, free: number, demand: number): number {
  return total === 0 ? 0 : (total - free + demand) / total;
}
