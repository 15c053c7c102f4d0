import { assert, unreachable } from '../errors.ts';
import type { GroupId, JobId, NodeId, TokenId } from '../ids.ts';
import type { Group } from '../jobs/group.ts';
import { isFinal, type Job, type LiveJob, type QueuedJob, type UnfinishedJob, type Claim } from '../jobs/job.ts';
import { LIMITS } from '../limits.ts';
import { add, type Resources, subtract } from '../resources/resources.ts';
import { DEFAULT_QUEUE, type QueueSettings } from '../jobs/queue-settings.ts';
import { CLAIM_MS } from '../scheduling/claims.ts';
import { JobQueue } from '../scheduling/queue-order.ts';
import { QueueUse } from '../scheduling/queue-use.ts';
import { lotOf } from '../scheduling/lot.ts';
import { dueOf, type Schedule } from '../schedules/schedule.ts';
import { DueTimes } from './due-times.ts';
import { dropMetDependencies } from './met-dependencies.ts';
import type {
  ClusterRecord,
  FollowUpRecord,
  IdempotencyRecord,
  JoinTokenRecord,
  NodeRecord,
  ProposerRecord,
  QueueRecord,
  RemovedRecord,
  RevivedRecord,
  RunnerRecord,
  StateRecord,
  TokenRecord,
} from './records.ts';
import { Relations } from './relations.ts';

export type HeapState = 'waiting' | 'queued' | 'assigned' | 'running';

/** How long an expired token is kept, so that its holder hears why it is refused. */
export const EXPIRED_TOKEN_KEPT_MS = 24 * 60 * 60 * 1000;

/** What one runner holds; derived from the jobs. */
export interface Allocation {
  record: RunnerRecord;
  /** A number that stands for its id. */
  readonly lot: number;
  /** Total less what its live attempts take that are behind no other; below zero where it came back smaller. */
  free: Resources;
  readonly jobs: Set<JobId>;
  /** Queued jobs for which room is being made here; absent: for none. */
  claims?: Map<JobId, QueuedJob>;
}

/**
 * The replicated state in the heap: the records that matter while jobs live, and what is derived from them. Changed by
 * apply only; final jobs leave it with the entry that ended them.
 */
export class ClusterState {
  cluster: ClusterRecord | null = null;
  readonly jobs = new Map<JobId, UnfinishedJob>();
  readonly runners = new Map<NodeId, RunnerRecord>();
  readonly nodes = new Map<NodeId, NodeRecord>();
  readonly tokens = new Map<TokenId, TokenRecord>();
  readonly joinTokens = new Map<TokenId, JoinTokenRecord>();
  readonly idempotency = new Map<string, IdempotencyRecord>();
  /** The least recently used first. */
  readonly proposers = new Map<string, ProposerRecord>();
  /** The oldest first. */
  readonly revived = new Map<string, RevivedRecord>();
  /** The oldest first. */
  readonly removed = new Map<string, RemovedRecord>();
  readonly groups = new Map<GroupId, Group>();
  readonly followUps = new Map<string, FollowUpRecord>();
  /** Those that somebody has set something for. */
  readonly queues = new Map<string, QueueRecord>();
  readonly schedules = new Map<string, Schedule>();

  readonly allocations = new Map<NodeId, Allocation>();
  /** The same, to draw from by chance. */
  readonly allocationList: Allocation[] = [];
  /** From a job with a live attempt to the one that is behind it. */
  readonly successors = new Map<JobId, JobId>();
  readonly queue = new JobQueue();
  readonly use = new QueueUse();
  readonly due = new DueTimes();
  readonly relations = new Relations(this.groups);
  /** The follow-ups in the order in which they are carried out. */
  readonly followUpOrder = new DueTimes();
  /** When the leader has to plan or fire a schedule. */
  readonly schedulesDue = new DueTimes();
  readonly counts: Record<HeapState, number> = { waiting: 0, queued: 0, assigned: 0, running: 0 };
}

/**
 * Takes one record of the state's database. They may come in any order, but groups before jobs: how many of its jobs
 * may run at once stands in a group. `finishLoading` must follow.
 */
export function loadRecord(state: ClusterState, record: StateRecord): void {
  if (record.value === null) return;
  switch (record.table) {
    case 'cluster':
      state.cluster = record.value;
      break;
    case 'job':
      if (isFinal(record.value)) break;
      state.jobs.set(record.value.id, record.value);
      // Those that hold a runner wait until all runners are here; they are few beside those that wait.
      if (!holdsRunner(record.value)) enterJob(state, record.value);
      break;
    case 'runner':
      state.runners.set(record.value.id, record.value);
      break;
    case 'node':
      state.nodes.set(record.value.id, record.value);
      break;
    case 'token':
      state.tokens.set(record.value.id, record.value);
      break;
    case 'joinToken':
      state.joinTokens.set(record.value.id, record.value);
      break;
    case 'idempotency':
      state.idempotency.set(record.key, record.value);
      state.due.set({ kind: 'idempotency', key: record.key, at: record.value.expiresAt });
      break;
    case 'proposer':
      state.proposers.set(record.key, record.value);
      break;
    case 'revived':
      state.revived.set(record.key, record.value);
      break;
    case 'removed':
      state.removed.set(record.key, record.value);
      break;
    case 'group':
      state.groups.set(record.value.id, record.value);
      break;
    case 'followUp':
      state.followUps.set(record.key, record.value);
      break;
    case 'queue':
      // Records of earlier versions lack what is newer.
      state.queues.set(record.key, { ...DEFAULT_QUEUE, ...record.value });
      break;
    case 'schedule':
      state.schedules.set(record.key, record.value);
      setScheduleDue(state, record.value);
      break;
    default:
      unreachable(record);
  }
}

/** Derives what could not be derived record by record, in little time: the event loop does not turn meanwhile. */
export function finishLoading(state: ClusterState): void {
  sortByIndex(state.proposers);
  sortByIndex(state.revived);
  sortByIndex(state.removed);
  for (const record of state.runners.values()) allocate(state, record);
  for (const job of state.jobs.values()) if (holdsRunner(job)) enterJob(state, job);
  for (const group of state.groups.values()) setGroupDue(state, group);
  dropMetDependencies(state);
  for (const [key, { at }] of state.followUps) state.followUpOrder.set({ kind: 'followUp', key, at });
  for (const token of state.tokens.values()) {
    if (token.expiresAt !== null)
      state.due.set({ kind: 'token', key: token.id, at: token.expiresAt + EXPIRED_TOKEN_KEPT_MS });
  }
  for (const token of state.joinTokens.values()) {
    state.due.set({ kind: 'joinToken', key: token.id, at: token.expiresAt + EXPIRED_TOKEN_KEPT_MS });
  }
}

/** What is set for a queue, or what holds while nothing is. */
export function settingsOf({ queues }: Pick<ClusterState, 'queues'>, queue: string): QueueSettings {
  return queues.get(queue) ?? DEFAULT_QUEUE;
}

export function isLive(job: Job): job is LiveJob {
  return job.state === 'assigned' || job.state === 'running';
}

/** It runs there, or has a claim on its room. */
function holdsRunner(job: Job): boolean {
  return isLive(job) || (job.state === 'queued' && job.claim !== undefined);
}

/** A finished group is remembered for a while. */
export function setGroupDue(state: ClusterState, group: Group): void {
  if (group.state === 'finished') {
    state.due.set({ kind: 'group', key: group.id, at: group.finishedAt + LIMITS.groupTtlMs });
  } else state.due.delete('group', group.id);
}

export function setScheduleDue(state: ClusterState, schedule: Schedule): void {
  const at = dueOf(schedule);
  if (at === null) state.schedulesDue.delete('schedule', schedule.name);
  else state.schedulesDue.set({ kind: 'schedule', key: schedule.name, at });
}

/** Puts a runner's record in the place of the one before; what runs there stays. */
export function allocate(state: ClusterState, record: RunnerRecord): void {
  const known = state.allocations.get(record.id);
  state.use.changeRunner(known?.record.total ?? null, record.total);
  if (known === undefined) {
    const allocation: Allocation = { record, lot: lotOf(record.id), free: record.total, jobs: new Set() };
    state.allocations.set(record.id, allocation);
    state.allocationList.push(allocation);
    return;
  }
  if (known.record.total !== record.total)
    known.free = subtract(record.total, subtract(known.record.total, known.free));
  known.record = record;
}

/** The runner is gone for good, and nothing runs there. */
export function deallocate(state: ClusterState, id: NodeId): void {
  const allocation = state.allocations.get(id);
  assert(allocation === undefined || allocation.jobs.size === 0, 'a runner that is removed holds nothing');
  state.allocations.delete(id);
  if (allocation === undefined) return;
  state.use.changeRunner(allocation.record.total, null);
  state.allocationList.splice(state.allocationList.indexOf(allocation), 1);
}

/** Counts a job that is in the heap from now on. */
export function enterJob(state: ClusterState, job: UnfinishedJob): void {
  state.counts[job.state] += 1;
  state.relations.enter(job);
  switch (job.state) {
    case 'waiting':
      if ('until' in job) state.due.set({ kind: 'job', key: job.id, at: job.until });
      break;
    case 'queued':
      state.use.open(job.plan);
      state.queue.add(job);
      if (job.plan.queueTimeoutMs !== null) {
        state.due.set({ kind: 'job', key: job.id, at: job.queuedAt + job.plan.queueTimeoutMs });
      }
      if (job.claim !== undefined) enterClaim(state, job, job.claim);
      break;
    case 'assigned':
    case 'running':
      reserve(state, job);
      break;
    default:
      unreachable(job);
  }
}

/** The reverse of `enterJob`. */
export function leaveJob(state: ClusterState, job: UnfinishedJob): void {
  state.counts[job.state] -= 1;
  state.relations.leave(job);
  switch (job.state) {
    case 'waiting':
      if ('until' in job) state.due.delete('job', job.id);
      break;
    case 'queued':
      state.use.close(job.plan);
      state.queue.remove(job);
      if (job.plan.queueTimeoutMs !== null) state.due.delete('job', job.id);
      if (job.claim !== undefined) leaveClaim(state, job, job.claim);
      break;
    case 'assigned':
    case 'running':
      release(state, job);
      break;
    default:
      unreachable(job);
  }
}

function enterClaim(state: ClusterState, job: QueuedJob, { runner, at }: Claim): void {
  const allocation = allocationOf(state, runner);
  allocation.claims ??= new Map();
  allocation.claims.set(job.id, job);
  state.due.set({ kind: 'claim', key: job.id, at: at + CLAIM_MS });
}

function leaveClaim(state: ClusterState, job: QueuedJob, { runner }: Claim): void {
  const allocation = allocationOf(state, runner);
  allocation.claims?.delete(job.id);
  if (allocation.claims?.size === 0) delete allocation.claims;
  state.due.delete('claim', job.id);
}

function reserve(state: ClusterState, job: LiveJob): void {
  const allocation = allocationOf(state, job.current.runner);
  const { behind } = job.current;
  if (behind === undefined) allocation.free = subtract(allocation.free, job.plan.demand);
  else state.successors.set(behind.job, job.id);
  allocation.jobs.add(job.id);
  state.use.open(job.plan);
  state.use.take(job.plan);
}

function release(state: ClusterState, job: LiveJob): void {
  const allocation = allocationOf(state, job.current.runner);
  const { behind } = job.current;
  if (behind === undefined) allocation.free = add(allocation.free, job.plan.demand);
  else state.successors.delete(behind.job);
  allocation.jobs.delete(job.id);
  state.use.giveBack(job.plan);
  state.use.close(job.plan);
}

function allocationOf(state: ClusterState, runner: NodeId): Allocation {
  const allocation = state.allocations.get(runner);
  assert(allocation !== undefined, 'a live attempt, and a claim, is on a known runner');
  return allocation;
}

/** Records are kept in the order of use; those of one entry in the order of their keys. */
function sortByIndex<Value extends { readonly index: number }>(records: Map<string, Value>): void {
  const sorted = [...records].toSorted(([a, { index: i }], [b, { index: j }]) => i - j || (a < b ? -1 : 1));
  records.clear();
  for (const [key, record] of sorted) records.set(key, record);
}
