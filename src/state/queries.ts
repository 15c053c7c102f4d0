import type { JobId, NodeId } from '../ids.ts';
import type { QueuedJob, Timestamp } from '../jobs/job.ts';
import { type Resources, ZERO } from '../resources/resources.ts';
import { type JobTotals, NO_TOTALS } from './job-totals.ts';
import type { Schedule } from '../schedules/schedule.ts';
import type { ClusterState, HeapState } from './state.ts';

/** What readers ask of the state in the heap. Nothing here copies what grows with the cluster. */

export function countsByState(state: ClusterState): Readonly<Record<HeapState, number>> {
  return state.counts;
}

/** Kinds of queued jobs (by queue, project, priority and demand) of which the first is looked at. */
const OLDEST_CANDIDATES = 10_000;

/** The queued job that was submitted first; where there are more kinds of them than are looked at, nearly so. */
export function oldestQueued(state: ClusterState): QueuedJob | null {
  return state.queue.oldest(OLDEST_CANDIDATES);
}

export function jobTotals(state: ClusterState): JobTotals {
  return state.cluster?.totals ?? NO_TOTALS;
}

/** Queues in which a job waits for a runner, and how many do. */
export function queuedByQueue(state: ClusterState): ReadonlyMap<string, { readonly size: number }> {
  return state.queue.queues;
}

/** Jobs assigned to or running at a runner. */
export function jobsOnRunner(state: ClusterState, runner: NodeId): ReadonlySet<JobId> {
  return state.allocations.get(runner)?.jobs ?? NONE;
}

/** What no live attempt takes; below zero where a runner came back smaller. */
export function freeOf(state: ClusterState, runner: NodeId): Resources {
  return state.allocations.get(runner)?.free ?? ZERO;
}

/** When the leader has to propose `clock`; null: nothing will be due. */
export function nextDue(state: ClusterState): Timestamp | null {
  if (state.followUpOrder.first() !== null) return 0;
  return state.due.first()?.at ?? null;
}

/** The schedules that the leader has to do something about by then, those due first; so many at most. */
export function schedulesDue(state: ClusterState, at: Timestamp, limit: number): readonly Schedule[] {
  return state.schedulesDue.firstUntil(at, limit).flatMap(({ key }) => state.schedules.get(key) ?? []);
}

const NONE: ReadonlySet<JobId> = new Set();
