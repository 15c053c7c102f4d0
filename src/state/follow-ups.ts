import { unreachable } from '../errors.ts';
import type { JobId } from '../ids.ts';
import { isUnmet, type UnfinishedJob } from '../jobs/job.ts';
import { cancelJob, dependsOnEnd, isNotedCount, meetDependency } from '../jobs/lifecycle.ts';
import type { ChangeSet } from './change-set.ts';
import { loseWithRunner, staleAttempts } from './lost-attempts.ts';
import type { FollowUpRecord } from './records.ts';

/** Jobs that one entry comes to, so that none takes long; the leader proposes the next entry at once. */
export const FOLLOW_UPS_PER_ENTRY = 1000;
/** A job that waits for this many others takes as long as one that waits for none, and so on by so many. */
const TIES_PER_FOLLOW_UP = 16;

/** Goes on with what earlier events of this or of other entries left to do for many jobs. */
export function carryOutFollowUps(changes: ChangeSet): void {
  const { followUpOrder, followUps } = changes.state;
  let left = FOLLOW_UPS_PER_ENTRY;
  for (let first = followUpOrder.first(); first !== null && left > 0; first = followUpOrder.first()) {
    const record = followUps.get(first.key);
    if (record === undefined) return;
    const { part, cost } = take(changes, record, left);
    left -= Math.max(1, cost);
    if (part.length === 0) changes.removeFollowUp(first.key);
    else carryOut(changes, record, part);
  }
}

/** Cancels a job and, in the entries that follow, all that it submitted. */
export function cancelWithChildren(changes: ChangeSet, id: JobId, by: string): void {
  const job = changes.state.jobs.get(id);
  if (job !== undefined) {
    const next = cancelJob(job, 'any', by, changes.now);
    if (!('code' in next)) changes.putJob(job, next);
  }
  if (changes.state.relations.childrenOf(id).size > 0) {
    changes.putFollowUp({ kind: 'children', job: id, by: `its parent ${id}`, after: 0, at: changes.now.at });
  }
}

function carryOut(changes: ChangeSet, record: FollowUpRecord, part: readonly JobId[]): void {
  const { jobs } = changes.state;
  const last = jobs.get(part.at(-1) as JobId)?.sequence ?? 0;
  switch (record.kind) {
    case 'dependents':
      changes.putFollowUp({ ...record, after: last });
      for (const id of part) {
        const job = jobs.get(id);
        if (job?.state === 'waiting') changes.putJob(job, meetDependency(job, record.job, record.outcome, changes.now));
      }
      break;
    case 'children':
    case 'members':
    case 'scheduled':
      changes.putFollowUp({ ...record, after: last });
      for (const id of part) cancelWithChildren(changes, id, record.by);
      break;
    case 'runner':
      for (const id of part) loseWithRunner(changes, id, record.reason);
      break;
    default:
      unreachable(record);
  }
}

/** The jobs that are next; none: it is done. */
function take(
  changes: ChangeSet,
  record: FollowUpRecord,
  costMax: number,
): { readonly part: readonly JobId[]; readonly cost: number } {
  const part: JobId[] = [];
  let cost = 0;
  for (const id of remaining(changes, record)) {
    const job = changes.state.jobs.get(id);
    if (cost >= costMax || (job !== undefined && !isMeant(changes, record, job))) break;
    part.push(id);
    cost += costOf(record, job);
  }
  return { part, cost };
}

/** A member that was tried again after its group was cancelled stays, and so do those behind it. */
function isMeant({ state }: ChangeSet, record: FollowUpRecord, { sequence }: UnfinishedJob): boolean {
  if (record.kind !== 'members') return true;
  return sequence <= (state.groups.get(record.group)?.cancelled?.through ?? Infinity);
}

/** To wait for one job less costs the same however many are left, but where it is written or the wait is over. */
function costOf(record: FollowUpRecord, job: UnfinishedJob | undefined): number {
  if (job === undefined || !isUnmet(job)) return 1;
  const isStep = record.kind === 'dependents' && !isNotedCount(job.missing.length - 1);
  if (isStep && dependsOnEnd(job, record.job, record.outcome)) return 1;
  return Math.ceil(job.missing.length / TIES_PER_FOLLOW_UP);
}

function remaining({ state }: ChangeSet, record: FollowUpRecord): Iterable<JobId> {
  switch (record.kind) {
    case 'dependents':
      return state.relations.dependentsOf(record.job).values();
    case 'children':
      return state.relations.childrenOf(record.job).valuesFrom(record.after + 1);
    case 'members':
      return state.relations.membersOf(record.group).valuesFrom(record.after + 1);
    case 'runner':
      return staleAttempts(state, record.runner).map(({ id }) => id);
    case 'scheduled':
      return upTo(state.jobs, state.relations.scheduledBy(record.schedule).valuesFrom(record.after + 1), record.upTo);
    default:
      return unreachable(record);
  }
}

function* upTo(
  jobs: ReadonlyMap<JobId, UnfinishedJob>,
  ids: Iterable<JobId>,
  sequence: number,
): Generator<JobId, void> {
  for (const id of ids) {
    if ((jobs.get(id)?.sequence ?? 0) > sequence) return;
    yield id;
  }
}
