import type { Principal, Scope } from '../auth.ts';
import type { RejectionCode } from '../errors.ts';
import type { GroupId, Incarnation, JobId, NodeId, TokenId } from '../ids.ts';
import type { GroupSpec } from '../jobs/group.ts';
import type { AttemptEnd, FinalJob, FinalState, Timestamp } from '../jobs/job.ts';
import type { QueueChange } from '../jobs/queue-settings.ts';
import type { JobSpec } from '../jobs/spec.ts';
import type { Resources } from '../resources/resources.ts';
import type { Schedule, ScheduleSettings } from '../schedules/schedule.ts';
import type { MemberWish, VoterPolicy } from './records.ts';

/**
 * What the log carries. A proposal may come twice, at any time later: a proposer that did not hear the answer proposes
 * the same bytes again. Apply knows it by origin and sequence (src/state/repeats.ts): the second one changes nothing.
 * A job's id is made for one proposal, and proposed in another one only after the first was seen to be refused.
 */

export interface Placement {
  readonly runner: NodeId;
  readonly incarnation: Incarnation;
}

/** `bodyHash` tells a repetition from another request under the same key. */
export interface Idempotency {
  readonly key: string;
  readonly bodyHash: string;
}

/** `line` is counted from 1, over all requests of the batch. The id of the job is counted from `base`, if the key is new. */
export interface BatchKey {
  readonly key: string;
  readonly line: number;
  readonly base: JobId;
}

export type Command =
  | {
      readonly kind: 'submit';
      readonly id: JobId;
      readonly spec: JobSpec;
      /** Optimistic: taken if it still fits and nothing of the queue waits ahead, else the job queues. */
      readonly placement: Placement | null;
      readonly idempotency: Idempotency | null;
      /** In place of a key of its own, for a line of a batch that is sent under one. */
      readonly batch?: BatchKey;
      /** Of jobs that it depends on, how they ended, as the proposer read it: the heap does not hold final ones. */
      readonly outcomes?: readonly { readonly job: JobId; readonly state: FinalState }[];
    }
  | {
      readonly kind: 'assign';
      readonly job: JobId;
      readonly attempt: number;
      readonly placement: Placement;
      /** It takes over the room of this job's attempt there, when that ends; until then it has none. */
      readonly behind?: JobId;
    }
  /** From the runner that it is assigned to, which has not started it and will not. `index`: of the job as it was seen. */
  | { readonly kind: 'handBack'; readonly job: JobId; readonly index: number }
  /**
   * Stops attempts at one runner to make room there for a queued job, `attempt` of which is next. Taken as a whole or
   * not at all.
   */
  | {
      readonly kind: 'preempt';
      readonly job: JobId;
      readonly attempt: number;
      readonly placement: Placement;
      readonly victims: readonly { readonly job: JobId; readonly attempt: number }[];
    }
  | {
      readonly kind: 'started';
      readonly job: JobId;
      readonly attempt: number;
      readonly incarnation: Incarnation;
      readonly at: Timestamp;
    }
  | {
      readonly kind: 'ended';
      readonly job: JobId;
      readonly attempt: number;
      readonly incarnation: Incarnation;
      readonly startedAt: Timestamp | null;
      readonly endedAt: Timestamp;
      readonly end: AttemptEnd;
    }
  | { readonly kind: 'cancel'; readonly job: JobId; readonly mode: 'any' | 'queued' }
  /** Final jobs are not in the heap: `record` is the job as its proposer read it behind a barrier. */
  | { readonly kind: 'retry'; readonly job: JobId; readonly record: FinalJob }
  | {
      readonly kind: 'createGroup';
      readonly id: GroupId;
      readonly spec: GroupSpec;
      readonly idempotency?: Idempotency | null;
    }
  | { readonly kind: 'closeGroup'; readonly id: GroupId }
  | { readonly kind: 'cancelGroup'; readonly id: GroupId }
  | { readonly kind: 'createSchedule'; readonly name: string; readonly settings: ScheduleSettings }
  | { readonly kind: 'setSchedule'; readonly name: string; readonly change: Partial<ScheduleSettings> }
  /** Its jobs stay. */
  | { readonly kind: 'deleteSchedule'; readonly name: string }
  /** Fires it at once, as who asks. `job`: the id of the job to be. */
  | {
      readonly kind: 'triggerSchedule';
      readonly name: string;
      readonly job: JobId;
      /** Absent: none. */
      readonly idempotency?: Idempotency | null;
    }
  /** From the leader, which knows cron lines and time zones: the first time behind `after`; null: there is none. */
  | {
      readonly kind: 'planSchedule';
      readonly name: string;
      readonly revision: number;
      readonly after: Timestamp;
      readonly next: Timestamp | null;
      /** Why its line cannot be read; null: it can. */
      readonly problem: { readonly code: RejectionCode; readonly message: string } | null;
    }
  /**
   * From the leader, when the time `due` of a schedule has come. `latest` is the last of its times that has, and the one
   * that is fired; `missed` tells of those from `due` to before it; `next` is the one behind it, or null.
   */
  | {
      readonly kind: 'fireSchedule';
      readonly name: string;
      readonly revision: number;
      readonly due: Timestamp;
      readonly latest: Timestamp;
      readonly next: Timestamp | null;
      readonly missed: { readonly count: number; readonly of: Schedule['missed'] };
      readonly job: JobId;
    }
  | { readonly kind: 'setQueue'; readonly name: string; readonly change: QueueChange }
  /** Back to what holds by default; its jobs stay. */
  | { readonly kind: 'resetQueue'; readonly name: string }
  | {
      readonly kind: 'registerRunner';
      readonly runner: NodeId;
      readonly incarnation: Incarnation;
      readonly total: Resources;
      readonly labels: Readonly<Record<string, string>>;
    }
  /** From the leader, when the lease of this incarnation is over. */
  | { readonly kind: 'loseRunner'; readonly runner: NodeId; readonly incarnation: Incarnation }
  | { readonly kind: 'drainRunner'; readonly runner: NodeId; readonly mode: 'drain' | 'undrain' }
  /** From the leader, when something is due: releases, queue timeouts, expiry of keys. Does a bounded amount. */
  | { readonly kind: 'clock' }
  /**
   * From the leader: final jobs whose time is over, or that are too many. Final jobs are not in the heap: `index` is that
   * of the record that it read, which made the job final.
   */
  | { readonly kind: 'purge'; readonly jobs: readonly { readonly job: JobId; readonly index: number }[] }
  | {
      readonly kind: 'announceNode';
      readonly node: NodeId;
      readonly addresses: readonly string[];
      readonly http: string | null;
      readonly version: string;
    }
  /** Notes what a user wants of a member; the leader changes the membership, and comes back to it until it is so. */
  | { readonly kind: 'wishMember'; readonly node: NodeId; readonly wish: MemberWish | 'none' }
  /** Null leaves a part as it is. */
  | {
      readonly kind: 'setVoterPolicy';
      readonly voters: number | null;
      readonly replaceDead: VoterPolicy['replaceDead'] | null;
    }
  /** It is no member any more: its record and its runner go, and nothing that it still says counts. */
  | { readonly kind: 'forgetNode'; readonly node: NodeId }
  | {
      readonly kind: 'createToken';
      readonly id: TokenId;
      readonly name: string;
      /** SHA-256 of the secret part, hex. */
      readonly hash: string;
      readonly scopes: readonly Scope[];
      readonly expiresAt: Timestamp | null;
    }
  | { readonly kind: 'revokeToken'; readonly id: TokenId }
  | {
      readonly kind: 'createJoinToken';
      readonly id: TokenId;
      readonly hash: string;
      readonly uses: number;
      readonly expiresAt: Timestamp;
    }
  /** Idempotent by node: a node that joined with this token may ask again. */
  | {
      readonly kind: 'useJoinToken';
      readonly id: TokenId;
      readonly hash: string;
      readonly node: NodeId;
      readonly addresses: readonly string[];
      readonly version: string;
    }
  /** The first entry of a cluster. */
  | { readonly kind: 'createCluster'; readonly clusterId: string; readonly auth: 'required' | 'loopbackOpen' }
  /** Written offline, by a recovery or a restore: the state goes on as another cluster, of which `keep` alone is left. */
  | { readonly kind: 'refoundCluster'; readonly clusterId: string; readonly keep: NodeId };

export type CommandKind = Command['kind'];

/** Names who proposed: results are given to the proposer at its own node, when that node applies the entry. */
export interface Proposal {
  readonly principal: Principal;
  /** The proposing node's session (different at every start) and its count within it. */
  readonly origin: string;
  readonly sequence: number;
  readonly commands: readonly Command[];
}

/** What one data entry of the log holds. `at` is the leader's time, never below that of the entry before. */
export interface EntryPayload {
  readonly at: Timestamp;
  readonly proposals: readonly Proposal[];
}

/** A rejection as data: every replica finds the same. */
export interface Refusal {
  readonly ok: false;
  readonly code: RejectionCode;
  readonly message: string;
  readonly field?: string;
}

export type CommandResult =
  | {
      readonly ok: true;
      readonly job?: JobId;
      readonly group?: GroupId;
      /** It was made before, under the same key. */
      readonly existed?: boolean;
    }
  | Refusal;

export function refuse(code: RejectionCode, message: string, field?: string): Refusal {
  return field === undefined ? { ok: false, code, message } : { ok: false, code, message, field };
}
