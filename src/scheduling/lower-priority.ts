import { type ClusterState, isLive } from '../state/state.ts';
import { type Spared, sparedBecause } from './victims.ts';

/** How many attempts run with a lower priority than a job's, and what becomes of them where it finds no room. */
export interface LowerPriority {
  /** Those that may be stopped for it. */
  readonly preemptible: number;
  /** The others, by what spares them: their queue, `retry: never`, as many preemptions as may be, a stop under way. */
  readonly spared: Readonly<Record<Spared, number>>;
}

export function lowerPriority(state: ClusterState, priority: number): LowerPriority {
  const spared: Record<Spared, number> = { queue: 0, retryNever: 0, preemptions: 0, ending: 0 };
  let preemptible = 0;
  if (!runsLower(state, priority)) return { preemptible, spared };
  for (const { jobs } of state.allocationList) {
    for (const id of jobs) {
      const job = state.jobs.get(id);
      if (job === undefined || !isLive(job) || job.plan.priority >= priority) continue;
      const because = sparedBecause(state, job);
      if (because === null) preemptible += 1;
      else spared[because] += 1;
    }
  }
  return { preemptible, spared };
}

/** Told without looking at each. */
function runsLower({ use }: ClusterState, priority: number): boolean {
  for (const { livePriorities } of use.queues.values()) {
    for (const live of livePriorities.keys()) if (live < priority) return true;
  }
  return false;
}
