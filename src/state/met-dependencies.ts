import { assert } from '../errors.ts';
import type { JobId } from '../ids.ts';
import { isUnmet, type UnfinishedJob } from '../jobs/job.ts';
import { followUpKey } from './follow-up-key.ts';
import type { ClusterState } from './state.ts';

/**
 * After a load: takes out of what jobs wait for those ends that they were told of since their records were written.
 * A job is told of an end by the follow-up of it, in the order of sequences; and what came back to life since then has a
 * later sequence than all that depended on it before.
 */
export function dropMetDependencies(state: ClusterState): void {
  const { jobs, relations } = state;
  const met = new Map<JobId, Set<JobId>>();
  for (const on of relations.awaited()) {
    const isTold = toldBy(state, on);
    if (isTold === null) continue;
    for (const id of relations.dependentsOf(on).values()) {
      const job = jobs.get(id);
      if (job === undefined || !isTold(job)) continue;
      const ends = met.get(id) ?? new Set();
      met.set(id, ends.add(on));
    }
  }
  for (const [id, ends] of met) {
    const before = jobs.get(id);
    assert(before !== undefined && isUnmet(before), 'what waits for others is in the heap');
    const after = { ...before, missing: before.missing.filter((on) => !ends.has(on)) };
    assert(after.missing.length > 0, 'a job that waits for nothing more was written as such');
    jobs.set(id, after);
    relations.meet(before, after);
  }
}

/** Which of its dependents know of an end of this job; null: none of them. */
function toldBy({ jobs, followUps }: ClusterState, on: JobId): ((dependent: UnfinishedJob) => boolean) | null {
  const live = jobs.get(on);
  if (live !== undefined) return (live.revivals ?? 0) === 0 ? null : ({ sequence }) => sequence < live.sequence;
  const followUp = followUps.get(followUpKey('dependents', on));
  if (followUp?.kind !== 'dependents') return () => true;
  const { since = 0, after = 0 } = followUp;
  return ({ sequence }) => sequence < since || sequence <= after;
}
