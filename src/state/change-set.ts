import type { GroupId, JobId, NodeId, TokenId } from '../ids.ts';
import {
  cancelGroup,
  cancellationFor,
  countJob,
  failsWith,
  type Group,
  type GroupCancellation,
} from '../jobs/group.ts';
import {
  type Claim,
  isFinal,
  isUnmet,
  type Job,
  type JobState,
  type LiveJob,
  type Moment,
  type UnmetJob,
} from '../jobs/job.ts';
import { condemnJob, giveUpClaim, holdBack, releaseJob, succeedJob } from '../jobs/lifecycle.ts';
import type { JobPlan } from '../jobs/plan.ts';
import { keyOfFollowUp } from './follow-up-key.ts';
import { JobTally, NO_TOTALS } from './job-totals.ts';
import type { Schedule } from '../schedules/schedule.ts';
import type {
  ClusterRecord,
  FollowUpRecord,
  NodeRecord,
  ProposerRecord,
  QueueRecord,
  RemovedRecord,
  RevivedRecord,
  RunnerRecord,
  StateRecord,
  StateTables,
  TokenRecord,
} from './records.ts';
import {
  allocate,
  type ClusterState,
  deallocate,
  enterJob,
  isLive,
  leaveJob,
  setGroupDue,
  setScheduleDue,
  settingsOf,
} from './state.ts';

/** What others react to, in the order in which it happened. A null value: it is gone. */
export type ChangeEvent =
  | {
      readonly kind: 'job';
      readonly job: Job;
      /** Null for a new one. */
      readonly before: JobState | null;
      /** Absent: it had no claim before, or has one still. */
      readonly claim?: 'over';
    }
  /** A final one that is not kept any longer. */
  | { readonly kind: 'purged'; readonly id: JobId }
  /** Once an entry, as it is at its end. */
  | { readonly kind: 'group'; readonly id: GroupId; readonly group: Group | null }
  | { readonly kind: 'queue'; readonly name: string; readonly queue: QueueRecord | null }
  /** Once an entry, as it is at its end. */
  | { readonly kind: 'schedule'; readonly name: string; readonly schedule: Schedule | null }
  | { readonly kind: 'runner'; readonly id: NodeId; readonly runner: RunnerRecord | null }
  | { readonly kind: 'node'; readonly id: NodeId; readonly node: NodeRecord | null }
  | { readonly kind: 'token'; readonly id: TokenId; readonly token: TokenRecord | null };

function hasClaim(job: Job | null): boolean {
  return job?.state === 'queued' && job.claim !== undefined;
}

/** Starts of nodes whose proposals are remembered; those that were quiet for longest go first. */
const MAX_PROPOSERS = 10_000;
/** Revived jobs that are final again and remembered for it; the oldest go first. */
const MAX_REVIVED = 100_000;
/** Removed nodes that are remembered as such; the oldest go first. */
const MAX_REMOVED = 10_000;

/** The only way to change the state: keeps what is derived in step, and collects what one entry changes. */
export class ChangeSet {
  readonly state: ClusterState;
  readonly now: Moment;
  readonly events: ChangeEvent[] = [];
  readonly #jobs = new Map<JobId, Job | null>();
  readonly #records = new Map<string, StateRecord>();
  readonly #proposers = new Set<string>();
  readonly #revived = new Set<string>();
  readonly #removed = new Set<string>();
  readonly #groups = new Set<GroupId>();
  readonly #tally = new JobTally();
  readonly #schedules = new Set<string>();
  /** Schedules of which a job became final. */
  readonly #endedOf = new Set<string>();

  constructor(state: ClusterState, now: Moment) {
    this.state = state;
    this.now = now;
  }

  /** @param before the job as the state held it, or as it was when it was final; null for a new one */
  putJob(before: Job | null, job: Job): void {
    if (before === job) return;
    if (before !== null && isUnmet(before) && isUnmet(job)) return this.#putCloser(before, job);
    // Its queue's account stays open while the job goes from one state to the next.
    this.state.use.open(job.plan);
    if (before !== null && !isFinal(before)) leaveJob(this.state, before);
    const after = this.admit(before, job);
    if (isFinal(after)) {
      this.state.jobs.delete(after.id);
      if ((after.revivals ?? 0) > 0) this.#putRevived(after.id);
      if (after.schedule !== undefined) this.#endedOf.add(after.schedule.name);
    } else {
      this.state.jobs.set(after.id, after);
      enterJob(this.state, after);
    }
    if (isLive(after) && (before === null || !isLive(before))) {
      this.state.use.charge(after.plan, settingsOf(this.state, after.plan.queue).weight);
    }
    this.state.use.close(job.plan);
    this.#tally.count(before, after);
    this.#jobs.set(after.id, after);
    const event = { kind: 'job', job: after, before: before?.state ?? null } as const;
    this.events.push(hasClaim(before) && !hasClaim(after) ? { ...event, claim: 'over' } : event);
    this.#countInGroup(before, after);
    if (isFinal(after) && this.state.relations.dependentsOf(after.id).size > 0) {
      const { id, state: outcome, sequence: since } = after;
      this.putFollowUp({ kind: 'dependents', job: id, outcome, since, at: this.now.at });
    }
    if (isFinal(after) && !isFinal(job) && this.state.relations.childrenOf(after.id).size > 0) {
      this.putFollowUp({ kind: 'children', job: after.id, by: `its parent ${after.id}`, after: 0, at: this.now.at });
    }
    this.#letThrough(after.plan);
    if (before !== null && isLive(before) && !isLive(after)) this.#passOn(before);
  }

  /** It waits for fewer jobs than before, and nothing else changes: most such steps are not written (met-dependencies.ts). */
  #putCloser(before: UnmetJob, job: UnmetJob): void {
    this.state.jobs.set(job.id, job);
    this.state.relations.meet(before, job);
    if (job.index === before.index) return;
    this.#jobs.set(job.id, job);
    this.events.push({ kind: 'job', job, before: before.state });
  }

  /** Nothing is left of a final job. That it was revived stays known: an older record must not revive it once more. */
  purgeJob(id: JobId): void {
    this.#jobs.set(id, null);
    this.events.push({ kind: 'purged', id });
  }

  putGroup(group: Group | null, id: GroupId): void {
    if (group === null) {
      this.state.groups.delete(id);
      this.state.due.delete('group', id);
    } else {
      this.state.groups.set(id, group);
      setGroupDue(this.state, group);
    }
    this.record('group', id, group);
    this.#groups.add(id);
  }

  putQueue(name: string, queue: QueueRecord | null): void {
    if (queue === null) this.state.queues.delete(name);
    else this.state.queues.set(name, queue);
    this.record('queue', name, queue);
    this.events.push({ kind: 'queue', name, queue });
  }

  putSchedule(name: string, schedule: Schedule | null): void {
    if (schedule === null) {
      this.state.schedules.delete(name);
      this.state.schedulesDue.delete('schedule', name);
    } else {
      this.state.schedules.set(name, schedule);
      setScheduleDue(this.state, schedule);
    }
    this.record('schedule', name, schedule);
    this.#schedules.add(name);
  }

  /** The schedules of which jobs became final since it was asked last. */
  takeEndedSchedules(): readonly string[] {
    const names = [...this.#endedOf];
    this.#endedOf.clear();
    return names;
  }

  /** Takes the place of one of the same kind and id. */
  putFollowUp(record: FollowUpRecord): void {
    const key = keyOfFollowUp(record);
    this.state.followUps.set(key, record);
    this.state.followUpOrder.set({ kind: 'followUp', key, at: record.at });
    this.record('followUp', key, record);
  }

  removeFollowUp(key: string): void {
    this.state.followUps.delete(key);
    this.state.followUpOrder.delete('followUp', key);
    this.record('followUp', key, null);
  }

  putRunner(record: RunnerRecord): void {
    this.state.runners.set(record.id, record);
    allocate(this.state, record);
    this.record('runner', record.id, record);
    this.events.push({ kind: 'runner', id: record.id, runner: record });
    this.#giveUpClaimsAt(record.id, (claim) => record.state !== 'ready' || claim.incarnation !== record.incarnation);
  }

  /** Nothing may run there any more. */
  removeRunner(id: NodeId): void {
    this.#giveUpClaimsAt(id, () => true);
    this.state.runners.delete(id);
    deallocate(this.state, id);
    this.record('runner', id, null);
    this.events.push({ kind: 'runner', id, runner: null });
  }

  /** A queued job for which room was being made waits as any other. */
  giveUpClaim(id: JobId): void {
    const job = this.state.jobs.get(id);
    if (job?.state === 'queued' && job.claim !== undefined) this.putJob(job, giveUpClaim(job, this.now));
  }

  /** In the order of ids, which is the same at every replica. */
  #giveUpClaimsAt(runner: NodeId, isOver: (claim: Claim) => boolean): void {
    const { claims } = this.state.allocations.get(runner) ?? {};
    for (const job of [...(claims?.values() ?? [])].toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
      if (job.claim !== undefined && isOver(job.claim)) this.giveUpClaim(job.id);
    }
  }

  putNode(id: NodeId, node: NodeRecord | null): void {
    if (node === null) this.state.nodes.delete(id);
    else this.state.nodes.set(id, node);
    this.record('node', id, node);
    this.events.push({ kind: 'node', id, node });
  }

  /** It is no member any more, and never will be under this id. */
  removeNode(id: NodeId): void {
    if (this.state.nodes.has(id)) this.putNode(id, null);
    this.state.removed.set(id, { index: this.now.index });
    this.#removed.add(id);
  }

  /** It counts again, also when it was removed before, and nothing is wished of it. */
  welcome(id: NodeId): void {
    this.#removed.delete(id);
    if (this.state.removed.delete(id)) this.record('removed', id, null);
    const node = this.state.nodes.get(id);
    if (node?.wish === undefined) return;
    const { wish: _, ...free } = node;
    this.putNode(id, free);
  }

  putToken(id: TokenId, token: TokenRecord | null): void {
    if (token === null) this.state.tokens.delete(id);
    else this.state.tokens.set(id, token);
    this.record('token', id, token);
    this.events.push({ kind: 'token', id, token });
  }

  putProposer(origin: string, record: ProposerRecord): void {
    this.state.proposers.set(origin, record);
    this.#proposers.add(origin);
  }

  /** Notes what the state's database has to hold. */
  record<Table extends Exclude<keyof StateTables, 'job'>>(
    table: Table,
    key: string,
    value: StateTables[Table] | null,
  ): void {
    this.#records.set(`${table} ${key}`, { table, key, value } as StateRecord);
  }

  /** Each record that changed, once, as it now is. */
  finish(): readonly StateRecord[] {
    const { proposers, revived, removed, groups, schedules } = this.state;
    for (const id of this.#groups) this.events.push({ kind: 'group', id, group: groups.get(id) ?? null });
    for (const name of this.#schedules) {
      this.events.push({ kind: 'schedule', name, schedule: schedules.get(name) ?? null });
    }
    this.#keepNewest('proposer', proposers, this.#proposers, MAX_PROPOSERS);
    this.#keepNewest('revived', revived, this.#revived, MAX_REVIVED);
    this.#keepNewest('removed', removed, this.#removed, MAX_REMOVED);
    const changes: StateRecord[] = [...this.#records.values()];
    for (const [key, value] of this.#jobs) changes.push({ table: 'job', key, value });
    const cluster = this.#countTotals();
    if (cluster !== null) changes.push({ table: 'cluster', key: 'cluster', value: cluster });
    return changes;
  }

  #countTotals(): ClusterRecord | null {
    const { cluster } = this.state;
    if (cluster === null) return null;
    const before = cluster.totals ?? NO_TOTALS;
    const totals = this.#tally.addTo(before);
    if (totals !== before) this.state.cluster = { ...cluster, totals };
    return this.state.cluster;
  }

  /**
   * A job that comes to be queued has to wait at the first gate that is not open to it, and is cancelled when its group
   * was: the follow-up may come to it later only.
   */
  admit(before: Job | null, job: Job): Job {
    if (job.state !== 'queued' || before?.state === 'queued') return job;
    const cancelled = this.#cancellationFor(job);
    if (cancelled !== null) return condemnJob(job, cancelled.by, this.now);
    const passages = this.state.relations.passagesOf(job.plan);
    const passed = before?.state === 'waiting' ? passages.findIndex(({ why }) => why === before.why) : -1;
    const closed = passages.slice(passed + 1).find(({ gate }) => !gate.hasRoom || gate.waiting > 0);
    return closed === undefined ? job : holdBack(job, closed.why, this.now);
  }

  /** The room of an attempt that is gone, in the entry in which it goes: nobody else gets it. */
  #passOn({ id, current }: LiveJob): void {
    const { jobs, successors } = this.state;
    const next = successors.get(id);
    const job = next === undefined ? undefined : jobs.get(next);
    if (job !== undefined && isLive(job)) this.putJob(job, succeedJob(job, current, this.now));
  }

  /** Whose turn has come at the gates that jobs of this plan go through. */
  #letThrough(plan: JobPlan): void {
    for (const { gate } of this.state.relations.passagesOf(plan)) {
      for (let next = gate.next(); next !== null; next = gate.next()) {
        // The follow-up of its group comes to it, so many an entry, and then to those behind it.
        if (this.#cancellationFor(next) !== null) break;
        this.putJob(next, releaseJob(next, this.now));
      }
    }
  }

  #cancellationFor(job: Job): GroupCancellation | null {
    return job.plan.group === null ? null : cancellationFor(this.state.groups.get(job.plan.group), job);
  }

  #countInGroup(before: Job | null, { id, plan, state }: Job): void {
    const group = plan.group === null ? undefined : this.state.groups.get(plan.group);
    if (group === undefined) return;
    const counted = countJob(group, before?.state ?? null, state, this.now);
    if (failsWith(counted, state)) this.cancelGroup(counted, `the end of ${id}`);
    else this.putGroup(counted, group.id);
  }

  cancelGroup(group: Group, by: string): void {
    const through = this.state.cluster?.submissions ?? 0;
    this.putGroup(cancelGroup(group, by, through, this.now), group.id);
    this.putFollowUp({ kind: 'members', group: group.id, by, after: 0, at: this.now.at });
  }

  #putRevived(id: JobId): void {
    this.state.revived.set(id, { index: this.now.index });
    this.#revived.add(id);
  }

  /** The order within one entry is that of the keys, as it is after a reload. */
  #keepNewest<Table extends 'proposer' | 'revived' | 'removed'>(
    table: Table,
    records: Map<string, { readonly index: number }>,
    touched: ReadonlySet<string>,
    limit: number,
  ): void {
    for (const key of [...touched].toSorted()) {
      const value = records.get(key) as ProposerRecord & RevivedRecord & RemovedRecord;
      records.delete(key);
      records.set(key, value);
      this.record(table, key, value);
    }
    for (const key of records.keys()) {
      if (records.size <= limit) break;
      records.delete(key);
      this.record(table, key, null);
    }
  }
}
