import { type Principal, type Scope, SYSTEM } from '../../src/auth.ts';
import type { GroupId, Incarnation, JobId, NodeId, TokenId } from '../../src/ids.ts';
import type { Group, GroupSpec } from '../../src/jobs/group.ts';
import type { AttemptEnd, Job, Timestamp } from '../../src/jobs/job.ts';
import type { QueueChange } from '../../src/jobs/queue-settings.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import type { Schedule, ScheduleSettings } from '../../src/schedules/schedule.ts';
import { type Resources, ZERO } from '../../src/resources/resources.ts';
import { type AppliedEntry, apply } from '../../src/state/apply.ts';
import type { Command, CommandResult, Proposal } from '../../src/state/commands.ts';
import { checkInvariants } from '../../src/state/invariants.ts';
import type { StateRecord } from '../../src/state/records.ts';
import { ClusterState, finishLoading, loadRecord } from '../../src/state/state.ts';

export const LOCAL: Principal = { id: 'local', token: null, kind: 'local' };
export const START: Timestamp = Date.UTC(2030, 0, 1);

export const R1 = 'runner-1' as NodeId;
export const R2 = 'runner-2' as NodeId;
export const I1 = 'incarnation-1' as Incarnation;
export const I2 = 'incarnation-2' as Incarnation;

/** Ids in the form of the real ones, in their order. */
export function jobId(n: number): JobId {
  return `018f0000-0000-7000-8000-${String(n).padStart(12, '0')}` as JobId;
}

export function groupId(n: number): GroupId {
  return `018f1111-0000-7000-8000-${String(n).padStart(12, '0')}` as GroupId;
}

export function bearer(token: string, id = 'whoever'): Principal {
  return { id, token: token as TokenId, kind: 'token' };
}

export function amounts(some: Partial<Resources> = {}): Resources {
  return { ...ZERO, cpuMilli: 4000, memoryBytes: 2 ** 33, diskBytes: 2 ** 40, ...some };
}

export function ending(some: Partial<AttemptEnd> = {}): AttemptEnd {
  return { outcome: 'succeeded', exitCode: 0, signal: null, reason: null, usage: null, ...some };
}

export const FAILED = ending({ outcome: 'failed', exitCode: 1 });

interface SubmitOptions {
  readonly spec?: Partial<JobSpec>;
  readonly placement?: { readonly runner: NodeId; readonly incarnation: Incarnation } | null;
  readonly idempotency?: { readonly key: string; readonly bodyHash: string } | null;
}

export function submit(n: number, options: SubmitOptions = {}): Command {
  const { spec = {}, placement = null, idempotency = null } = options;
  return { kind: 'submit', id: jobId(n), spec: { command: ['true'], ...spec }, placement, idempotency };
}

export function createGroup(n: number, some: Partial<GroupSpec> = {}): Command {
  const spec = { name: null, project: 'default', labels: {}, maxRunning: null, onFailure: 'continue' as const };
  return { kind: 'createGroup', id: groupId(n), spec: { ...spec, ...some } };
}

export function setQueue(name: string, change: QueueChange): Command {
  return { kind: 'setQueue', name, change };
}

/** Unless something else is said it may be made up for a minute. */
export function createSchedule(name: string, some: Partial<ScheduleSettings> = {}): Command {
  const settings: ScheduleSettings = {
    cron: '* * * * *',
    timeZone: 'UTC',
    spec: { command: ['true'] },
    overlap: 'skip',
    catchUpMs: 60_000,
    mode: 'active',
  };
  return { kind: 'createSchedule', name, settings: { ...settings, ...some } };
}

/** As a leader proposes it that sees this schedule, for a time that it names. */
export function planSchedule({ name, revision, timing }: Schedule, next: Timestamp | null): Command {
  const after = timing.state === 'unplanned' ? timing.after : 0;
  return { kind: 'planSchedule', name, revision, after, next, problem: null };
}

/** The same for its firing; `n` is the number of the job to be. */
export function fireSchedule(
  { name, revision, timing }: Schedule,
  n: number,
  some: Partial<Extract<Command, { kind: 'fireSchedule' }>> = {},
): Command {
  const due = timing.state === 'planned' ? timing.at : 0;
  const missed = { count: 0, of: 'exact' as const };
  return { kind: 'fireSchedule', name, revision, due, latest: due, next: due + 1000, missed, job: jobId(n), ...some };
}

export function register(runner: NodeId, incarnation: Incarnation, total = amounts(), labels = {}): Command {
  return { kind: 'registerRunner', runner, incarnation, total, labels };
}

export function assign(n: number, attempt: number, runner = R1, incarnation = I1): Command {
  return { kind: 'assign', job: jobId(n), attempt, placement: { runner, incarnation } };
}

/** Assigned to take over the room of another job's attempt. */
export function assignBehind(n: number, before: number, attempt = 1, runner = R1, incarnation = I1): Command {
  return { kind: 'assign', job: jobId(n), attempt, placement: { runner, incarnation }, behind: jobId(before) };
}

export function started(n: number, attempt: number, incarnation = I1, at = START): Command {
  return { kind: 'started', job: jobId(n), attempt, incarnation, at };
}

export function ended(n: number, attempt: number, end = ending(), incarnation = I1, endedAt = START + 5): Command {
  return { kind: 'ended', job: jobId(n), attempt, incarnation, startedAt: START + 1, endedAt, end };
}

export function cancel(n: number, mode: 'any' | 'queued' = 'any'): Command {
  return { kind: 'cancel', job: jobId(n), mode };
}

export function createToken(id: string, scopes: readonly Scope[], expiresAt: Timestamp | null = null): Command {
  return { kind: 'createToken', id: id as TokenId, name: id, hash: `hash-${id}`, scopes, expiresAt };
}

/** A replica that is fed commands one entry at a time, with its database beside it, checked after each. */
export class TestReplica {
  state = new ClusterState();
  /** What the state's database would hold. */
  readonly disk = new Map<string, StateRecord>();
  at = START;
  index = 0;
  #sequence = 0;
  last: AppliedEntry = { results: [], changes: [], events: [] };

  /** With a cluster, open on loopback. */
  static founded(auth: 'required' | 'loopbackOpen' = 'loopbackOpen'): TestReplica {
    const replica = new TestReplica();
    replica.system({ kind: 'createCluster', clusterId: 'cluster', auth });
    return replica;
  }

  /** … and with a runner of four processors. */
  static withRunner(): TestReplica {
    const replica = TestReplica.founded();
    replica.system(register(R1, I1));
    return replica;
  }

  system(...commands: Command[]): readonly CommandResult[] {
    return this.propose(SYSTEM, commands);
  }

  local(...commands: Command[]): readonly CommandResult[] {
    return this.propose(LOCAL, commands);
  }

  propose(principal: Principal, commands: readonly Command[]): readonly CommandResult[] {
    this.#sequence += 1;
    return this.apply([{ principal, origin: 'test', sequence: this.#sequence, commands }])[0] ?? [];
  }

  /** One entry. */
  apply(proposals: readonly Proposal[]): (readonly CommandResult[])[] {
    this.index += 1;
    this.last = apply(this.state, { at: this.at, proposals }, this.index);
    for (const change of this.last.changes) this.disk.set(`${change.table} ${change.key}`, change);
    checkInvariants(this.state);
    return this.last.results.map(({ results }) => results);
  }

  pass(ms: number): readonly CommandResult[] {
    this.at += ms;
    return this.system({ kind: 'clock' });
  }

  /** The job as it now is, in the heap or on the disk. */
  job(n: number): Job {
    const job = this.state.jobs.get(jobId(n)) ?? (this.disk.get(`job ${jobId(n)}`)?.value as Job | undefined);
    if (job === undefined) throw new Error(`there is no job ${n}`);
    return job;
  }

  group(n: number): Group {
    const group = this.state.groups.get(groupId(n));
    if (group === undefined) throw new Error(`there is no group ${n}`);
    return group;
  }

  schedule(name: string): Schedule {
    const schedule = this.state.schedules.get(name);
    if (schedule === undefined) throw new Error(`there is no schedule ${name}`);
    return schedule;
  }

  /** A replica that starts from this one's database. */
  reload(throughBytes: (record: StateRecord) => StateRecord = (record) => record): void {
    const state = new ClusterState();
    const records = [...this.disk.values()].toReversed();
    const isGroup = ({ table }: StateRecord): boolean => table === 'group';
    const inOrder = [...records.filter(isGroup), ...records.filter((record) => !isGroup(record))];
    for (const record of inOrder) loadRecord(state, throughBytes(record));
    finishLoading(state);
    checkInvariants(state);
    this.state = state;
  }
}

/** Everything that two replicas must agree on, in a form to compare. */
export function picture(state: ClusterState) {
  const sorted = <Value>(map: ReadonlyMap<string, Value>) => [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const withoutZeros = ({ custom, ...rest }: Resources) => ({
    ...rest,
    custom: Object.fromEntries(Object.entries(custom).filter(([, amount]) => amount !== 0)),
  });
  return {
    cluster: state.cluster,
    jobs: sorted(state.jobs),
    runners: sorted(state.runners),
    nodes: sorted(state.nodes),
    tokens: sorted(state.tokens),
    joinTokens: sorted(state.joinTokens),
    idempotency: sorted(state.idempotency),
    proposers: [...state.proposers],
    revived: [...state.revived],
    removed: [...state.removed],
    free: sorted(state.allocations).map(([id, { free, jobs }]) => [id, withoutZeros(free), [...jobs].toSorted()]),
    queue: [...state.queue.all()].map(({ id }) => id).toSorted(),
    successors: sorted(state.successors),
    counts: { ...state.counts },
    due: state.due.first(),
    groups: sorted(state.groups),
    queues: sorted(state.queues),
    schedules: sorted(state.schedules),
    nextSchedule: state.schedulesDue.first(),
    use: [...state.use.queues]
      .map(([name, { use, jobs }]) => [name, use.running, withoutZeros(use.taken), jobs] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    followUps: sorted(state.followUps),
    nextFollowUp: state.followUpOrder.first(),
  };
}
