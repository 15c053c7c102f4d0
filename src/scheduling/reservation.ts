import type { QueuedJob } from '../jobs/job.ts';
import { fits } from '../resources/resources.ts';
import type { Allocation, ClusterState } from '../state/state.ts';
import { accepts } from './feasibility.ts';
import { mixLot } from './lot.ts';

/** A job that waited longer for a runner, and whose turn it is, keeps what comes free on one. */
export const RESERVE_AFTER_MS = 60_000;
/** Runners that are kept at a time: so many at most, and of few runners one in so many. */
const MOST_RESERVED = 4;
const RUNNERS_PER_RESERVATION = 8;

export function mostReserved(runners: number): number {
  return Math.min(MOST_RESERVED, Math.ceil(runners / RUNNERS_PER_RESERVATION));
}

/**
 * The runner that such a job keeps until it fits there. Every node finds the same at every time, as long as the runner
 * is there: the one with the highest rank for this job among those that could ever hold it (rendezvous hashing,
 * Thaler and Ravishankar 1998).
 * @returns null: it has not waited for long, or no runner could hold it
 */
export function reservedFor(
  { cluster, allocationList }: Pick<ClusterState, 'cluster' | 'allocationList'>,
  { plan, queuedAt, sequence }: QueuedJob,
): Allocation | null {
  if (cluster === null || cluster.clock - queuedAt < RESERVE_AFTER_MS) return null;
  let best: Allocation | null = null;
  let bestRank = -1;
  for (const allocation of allocationList) {
    const rank = mixLot(allocation.lot, sequence);
    if (rank < bestRank || (rank === bestRank && best !== null && allocation.record.id > best.record.id)) continue;
    const { record } = allocation;
    if (!fits(plan.demand, record.total) || !accepts(record, plan)) continue;
    best = allocation;
    bestRank = rank;
  }
  return best;
}
