import type { JobId, NodeId } from '../ids.ts';
import { isFinal, type LiveJob } from '../jobs/job.ts';
import { loseJob } from '../jobs/lifecycle.ts';
import { countRunnersLost } from '../jobs/retry.ts';
import type { ChangeSet } from './change-set.ts';
import { nextAtPace } from './lost-pace.ts';
import { type ClusterState, isLive } from './state.ts';

/** Attempts that one command loses, so that no entry takes long; those left over are lost by the entries that follow. */
export const LOST_PER_COMMAND = 1000;

/** What was under way at a runner that is lost, or at an earlier start of it, is lost with it. */
export function loseAttempts(changes: ChangeSet, runner: NodeId, reason: string): void {
  const stale = staleAttempts(changes.state, runner);
  for (const job of stale.slice(0, LOST_PER_COMMAND)) loseWithRunner(changes, job.id, reason);
  if (stale.length > LOST_PER_COMMAND) changes.putFollowUp({ kind: 'runner', runner, reason, at: changes.now.at });
}

/** Before a runner is removed in order: nothing may run there any more. */
export function loseAllAttempts(changes: ChangeSet, runner: NodeId, reason: string): void {
  for (const { id } of attemptsAt(changes.state, runner)) {
    // Losing one changes the one that is behind it.
    const job = changes.state.jobs.get(id);
    if (job !== undefined && isLive(job)) lose(changes, job, reason, null);
  }
}

/** Attempts that count at a runner no longer, in the order of ids, which is the same at every replica. */
export function staleAttempts(state: ClusterState, runner: NodeId): readonly LiveJob[] {
  const record = state.runners.get(runner);
  return attemptsAt(state, runner).filter(
    ({ current }) => record?.state === 'lost' || record?.incarnation !== current.incarnation,
  );
}

/** It counts for having been there when the runner was lost. */
export function loseWithRunner(changes: ChangeSet, id: JobId, reason: string): void {
  const { jobs, runners } = changes.state;
  const job = jobs.get(id);
  if (job === undefined || !isLive(job)) return;
  const runnersLost = countRunnersLost(
    job.past,
    ({ runner, incarnation }) => runners.get(runner)?.returned?.includes(incarnation) === true,
  );
  lose(changes, job, reason, runnersLost);
}

function lose(changes: ChangeSet, job: LiveJob, reason: string, runnersLost: number | null): void {
  const { state, now } = changes;
  const { waitMs, used } = nextAtPace(state.cluster?.lostPace, now.at);
  const next = loseJob(job, { reason, runnersLost, waitMs }, now);
  if (state.cluster !== null && !isFinal(next)) state.cluster = { ...state.cluster, lostPace: used };
  changes.putJob(job, next);
}

function attemptsAt({ allocations, jobs }: ClusterState, runner: NodeId): LiveJob[] {
  const ids = [...(allocations.get(runner)?.jobs ?? [])].toSorted();
  return ids.map((id) => jobs.get(id)).filter((job) => job !== undefined && isLive(job));
}
