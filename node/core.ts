import type { Identity, Scope } from '../src/auth.ts';
import type { EventFilter } from '../src/api/event-filter.ts';
import type { FeedItem } from '../src/api/event-view.ts';
import type { EventPosition } from '../src/api/to-event-view.ts';
import type { FiringView, ScheduleView } from '../src/api/schedule-view.ts';
import type {
  ClusterView,
  CreatedJoinToken,
  CreatedToken,
  ExplanationView,
  GroupView,
  JobView,
  LogEvent,
  Page,
  QueueView,
  Readiness,
  RunnerView,
  StatsView,
  TokenView,
} from '../src/api/views.ts';
import type { RejectionCode } from '../src/errors.ts';
import type { GroupId, JobId, NodeId, TokenId } from '../src/ids.ts';
import type { GroupSpec } from '../src/jobs/group.ts';
import type { JobState } from '../src/jobs/job.ts';
import type { QueueChange } from '../src/jobs/queue-settings.ts';
import type { JobSpec } from '../src/jobs/spec.ts';
import type { BatchKey, Idempotency } from '../src/state/commands.ts';
import type { ScheduleSettings } from '../src/schedules/schedule.ts';
import type { VoterPolicy } from '../src/state/records.ts';

/**
 * What an edge (HTTP, later gRPC) asks of the node: one interface of plain data, so that where the edge runs can
 * change. Everything is validated before it comes here. Methods throw `Rejection` (the caller can act) or `Fault`.
 */
export type Consistency = 'linearizable' | 'stale';

export interface SubmitItem {
  /** Made by who asks, where others name the job before it is there; never used for anything else. */
  readonly id?: JobId;
  readonly spec: JobSpec;
  readonly idempotency: Idempotency | null;
  /** In place of a key of its own, for a line of a batch that is sent under one. */
  readonly batch?: BatchKey;
}

export type SubmitResult =
  | {
      readonly ok: true;
      readonly id: JobId;
      /** An earlier submission under the same key. */ readonly existed: boolean;
    }
  | { readonly ok: false; readonly code: RejectionCode; readonly message: string; readonly field?: string };

/** What a request is about, where a job may own it. `new`: something that it makes. */
export type Named =
  | { readonly kind: 'new' }
  | { readonly kind: 'job'; readonly id: JobId }
  | { readonly kind: 'group' | 'jobsOfGroup'; readonly id: GroupId };

export interface JobFilter {
  readonly state?: JobState;
  readonly queue?: string;
  readonly project?: string;
  readonly name?: string;
  readonly group?: GroupId;
  readonly parent?: JobId;
  readonly schedule?: string;
  /** All must match. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface ListQuery {
  readonly filter: JobFilter;
  readonly limit: number;
  /** Opaque; from the page before. */
  readonly cursor: string | null;
}

export interface GroupQuery {
  readonly limit: number;
  /** Opaque; from the page before. */
  readonly cursor: string | null;
}

export interface QueueQuery {
  readonly limit: number;
  /** The name behind which to begin; from the page before. */
  readonly cursor: string | null;
}

export interface ScheduleQuery {
  readonly limit: number;
  /** The name behind which to begin; from the page before. */
  readonly cursor: string | null;
}

export interface LogQuery {
  readonly stream: 'stdout' | 'stderr' | 'both';
  /** Goes on until the attempt has ended. */
  readonly follow: boolean;
  /** Only the last lines; null for all. */
  readonly tail: number | null;
  /** Null for the last one. */
  readonly attempt: number | null;
}

export interface EventQuery {
  /** Behind which to begin; null: from now on. */
  readonly after: EventPosition | null;
  readonly filter: EventFilter;
}

/** `safely`: a change that would leave no majority of live voters is refused. */
export type ChangeMode = 'safely' | 'force';

/** Null leaves a part as it is. */
export interface VoterPolicyChange {
  readonly voters: VoterPolicy['voters'] | null;
  readonly replaceDead: VoterPolicy['replaceDead'] | null;
}

export interface Core {
  /** @param bearer the token as sent, or null. @throws Rejection `unauthenticated` */
  authenticate(bearer: string | null): Promise<Identity>;

  /**
   * Whether a job's token is good for what a request names; any other is good for everything that its scopes allow.
   * @param named null: nothing that a job could own. @throws Rejection `forbidden`
   */
  checkOwn(identity: Identity, named: Named | null): Promise<void>;

  /** From what the ids of a batch's lines are counted that is sent under a key. */
  batchBase(identity: Identity, key: string): Promise<JobId>;
  /** Answers each item once a quorum holds it, in order. A job's items become its children. */
  submit(identity: Identity, items: readonly SubmitItem[]): Promise<readonly SubmitResult[]>;
  /** @throws Rejection `notFound` */
  job(id: JobId, consistency: Consistency): Promise<JobView>;
  jobs(query: ListQuery, consistency: Consistency): Promise<Page<JobView>>;
  /** The job once it is final, or as it is when the time is over. */
  waitForJob(id: JobId, timeoutMs: number, signal: AbortSignal): Promise<JobView>;
  cancelJob(identity: Identity, id: JobId, mode: 'any' | 'queued'): Promise<JobView>;
  /** Another attempt for a job in a final state other than succeeded. */
  retryJob(identity: Identity, id: JobId): Promise<JobView>;
  /** Why it is where it is. @throws Rejection `notFound` */
  explainJob(id: JobId, consistency: Consistency): Promise<ExplanationView>;

  createGroup(
    identity: Identity,
    spec: GroupSpec,
    idempotency: Idempotency | null,
  ): Promise<{ readonly group: GroupView; /** By an earlier request under the same key. */ readonly existed: boolean }>;
  /** @throws Rejection `unknownGroup`, as do the others */
  group(id: GroupId, consistency: Consistency): Promise<GroupView>;
  /** Newest first. */
  groups(query: GroupQuery, consistency: Consistency): Promise<Page<GroupView>>;
  closeGroup(identity: Identity, id: GroupId): Promise<GroupView>;
  /** Closes it and cancels its jobs. */
  cancelGroup(identity: Identity, id: GroupId): Promise<GroupView>;
  /** The group once it is finished, or as it is when the time is over. */
  waitForGroup(id: GroupId, timeoutMs: number, signal: AbortSignal): Promise<GroupView>;

  /** One that nobody has set anything for is as by default. */
  queue(name: string, consistency: Consistency): Promise<QueueView>;
  /** Those that are set, hold a queued job or run one; by name. */
  queues(query: QueueQuery, consistency: Consistency): Promise<Page<QueueView>>;
  setQueue(identity: Identity, name: string, change: QueueChange): Promise<QueueView>;
  /** Back to the default; its jobs stay. */
  resetQueue(identity: Identity, name: string): Promise<QueueView>;

  /** What jobs do, by state and in total. Looks at no jobs. */
  stats(consistency: Consistency): Promise<StatsView>;
  /** Another one of this name: Rejection `conflict`; an equal one: `existed`. */
  createSchedule(
    identity: Identity,
    name: string,
    settings: ScheduleSettings,
  ): Promise<{ readonly schedule: ScheduleView; readonly existed: boolean }>;
  /** @throws Rejection `unknownSchedule`, as do the others */
  schedule(name: string, consistency: Consistency): Promise<ScheduleView>;
  /** By name. */
  schedules(query: ScheduleQuery, consistency: Consistency): Promise<Page<ScheduleView>>;
  /** What is left out stays. */
  setSchedule(identity: Identity, name: string, change: Partial<ScheduleSettings>): Promise<ScheduleView>;
  /** Its jobs stay. */
  deleteSchedule(identity: Identity, name: string): Promise<void>;
  /** Fires it at once. @throws Rejection `schedulePaused`, `scheduleBusy`, or why its job was refused */
  triggerSchedule(identity: Identity, name: string, idempotency: Idempotency | null): Promise<FiringView>;

  /** Fails before the first event where it can, so that the edge can still answer with a status. */
  logs(id: JobId, query: LogQuery, signal: AbortSignal): Promise<AsyncIterable<LogEvent>>;

  /** Changes of the replicated state as this node applies them, some at a time, until the signal ends it. */
  events(query: EventQuery, signal: AbortSignal): AsyncIterable<readonly FeedItem[]>;

  runners(consistency: Consistency): Promise<readonly RunnerView[]>;
  drainRunner(identity: Identity, id: NodeId, mode: 'drain' | 'undrain'): Promise<RunnerView>;

  cluster(consistency: Consistency): Promise<ClusterView>;
  /** `voter` promotes a learner, `learner` demotes a voter for good, `automatic` lets the leader decide again. */
  setMemberRole(
    identity: Identity,
    id: NodeId,
    role: 'voter' | 'learner' | 'automatic',
    mode: ChangeMode,
  ): Promise<ClusterView>;
  removeMember(identity: Identity, id: NodeId, mode: ChangeMode): Promise<ClusterView>;
  setVoterPolicy(identity: Identity, change: VoterPolicyChange): Promise<ClusterView>;
  transferLeadership(identity: Identity, to: NodeId): Promise<ClusterView>;

  /** All of the replicated state as of one moment, in the form of backup-codec.ts. One at a time: Fault `overloaded`. */
  backup(): Promise<AsyncIterable<Uint8Array>>;

  tokens(): Promise<readonly TokenView[]>;
  createToken(
    identity: Identity,
    request: { readonly name: string; readonly scopes: readonly Scope[]; readonly ttlMs: number | null },
  ): Promise<CreatedToken>;
  createJoinToken(
    identity: Identity,
    request: { readonly uses: number; readonly ttlMs: number },
  ): Promise<CreatedJoinToken>;
  revokeToken(identity: Identity, id: TokenId): Promise<void>;

  readiness(): Readiness;
  /** The last log index that this node's state holds: the header `Quorate-Index`. */
  appliedIndex(): number;
}
