import type { Scope } from '../auth.ts';
import type { GroupId, Incarnation, JobId, NodeId, TokenId } from '../ids.ts';
import type { Group } from '../jobs/group.ts';
import type { FinalState, Job, Timestamp } from '../jobs/job.ts';
import type { QueueSettings } from '../jobs/queue-settings.ts';
import type { Resources } from '../resources/resources.ts';
import type { JobTotals } from './job-totals.ts';
import type { Schedule } from '../schedules/schedule.ts';

/** What the replicated state consists of, by table. The storage keeps each as one key and one value. */

export interface RunnerRecord {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  readonly total: Resources;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: 'ready' | 'draining' | 'lost';
  readonly registeredAt: Timestamp;
  /** Starts of it that were lost and came back, the newest last: they had not died. Absent: none did. */
  readonly returned?: readonly Incarnation[];
}

export interface NodeRecord {
  readonly id: NodeId;
  readonly addresses: readonly string[];
  readonly http: string | null;
  readonly version: string;
  /** What a user asked for; the leader makes the membership so. Absent: the leader decides. */
  readonly wish?: MemberWish;
}

/** `voter`: as soon as it can, and then it is fulfilled. `learner`: never a voter. `leave`: no member any more. */
export type MemberWish = 'voter' | 'learner' | 'leave';

/** Was removed for good: nothing that it still says counts, and it never comes back under this id. */
export interface RemovedRecord {
  /** The log index that removed it. */
  readonly index: number;
}

/** How many nodes vote, and when one that is silent loses its vote to another. */
export interface VoterPolicy {
  /** As many learners as are there become voters, up to so many. */
  readonly voters: number;
  /** Milliseconds of silence; `automatic`: a default where more than three vote, else never. */
  readonly replaceDead: number | 'automatic' | 'never';
}

export interface TokenRecord {
  readonly id: TokenId;
  readonly name: string;
  readonly hash: string;
  readonly scopes: readonly Scope[];
  readonly expiresAt: Timestamp | null;
}

export interface JoinTokenRecord {
  readonly id: TokenId;
  readonly hash: string;
  readonly uses: number;
  readonly usedBy: readonly NodeId[];
  readonly expiresAt: Timestamp;
}

/**
 * What was made under a client's key: a job or a group, where `bodyHash` tells a repetition from another request; or the
 * lines of a batch that were taken, as ranges, whose ids are counted from `batch`.
 */
export type IdempotencyRecord = (
  | ({ readonly job: JobId } & Hashed)
  | ({ readonly group: GroupId } & Hashed)
  | { readonly batch: JobId; readonly lines: readonly number[] }
) & { readonly expiresAt: Timestamp };

interface Hashed {
  readonly bodyHash: string;
}

/**
 * What one proposer (a start of a node) has had applied, so that a repeated proposal changes nothing. A proposal whose
 * sequence is not above `floor` has no effect and no answer any more.
 */
export interface ProposerRecord {
  readonly floor: number;
  /** Applied sequences above the floor: first, last, first, last, …, ascending and never adjacent. */
  readonly applied: readonly number[];
  /** Those of them in which a command was refused, ascending: what exactly is not known any more. */
  readonly refusing: readonly number[];
  /** No refusal is known of sequences up to here. */
  readonly refusingFloor: number;
  /** The log index of its newest proposal. */
  readonly index: number;
}

/** A job that was revived and is final again: an older record of it must not revive it once more. */
export interface RevivedRecord {
  /** The log index that made it final. */
  readonly index: number;
}

/**
 * Work that one event makes for many jobs, to be done in parts by the entries that follow. `after`: the sequence of the
 * last job that it has come to.
 */
export type FollowUpRecord =
  | {
      readonly kind: 'dependents';
      readonly job: JobId;
      readonly outcome: FinalState;
      /** The job's sequence: what was submitted before that knows of an end before this one. */
      readonly since?: number;
      readonly after?: number;
      readonly at: Timestamp;
    }
  | {
      readonly kind: 'children';
      readonly job: JobId;
      readonly by: string;
      readonly after: number;
      readonly at: Timestamp;
    }
  | {
      readonly kind: 'members';
      readonly group: GroupId;
      readonly by: string;
      readonly after: number;
      readonly at: Timestamp;
    }
  /** Attempts on a runner that is lost, or of an earlier start of it, are to be lost with it. */
  | { readonly kind: 'runner'; readonly runner: NodeId; readonly reason: string; readonly at: Timestamp }
  /** Those that were submitted after `upTo` are not meant. */
  | {
      readonly kind: 'scheduled';
      readonly schedule: string;
      readonly by: string;
      readonly after: number;
      readonly upTo: number;
      readonly at: Timestamp;
    };

/** What somebody has set for a queue; one without a record is as by default. */
export interface QueueRecord extends QueueSettings {
  /** The log index of the entry that last changed it. */
  readonly index: number;
}

/** One record, of the whole cluster. */
export interface ClusterRecord {
  readonly clusterId: string;
  readonly auth: 'required' | 'loopbackOpen';
  /** The entry time last applied: `at` never goes back. */
  readonly clock: Timestamp;
  /** Submissions and revivals ever taken. */
  readonly submissions: number;
  /** Absent: nothing was counted yet. */
  readonly totals?: JobTotals;
  /** Absent: nobody has set one. */
  readonly voterPolicy?: VoterPolicy;
  /** Up to when lost attempts have used up the pace at which they are queued again; absent: none were lost. */
  readonly lostPace?: Timestamp;
}

export interface StateTables {
  readonly cluster: ClusterRecord;
  readonly job: Job;
  readonly runner: RunnerRecord;
  readonly node: NodeRecord;
  readonly token: TokenRecord;
  readonly joinToken: JoinTokenRecord;
  /** Key: principal id, NUL, the client's key. */
  readonly idempotency: IdempotencyRecord;
  /** Key: the origin of its proposals. */
  readonly proposer: ProposerRecord;
  /** Key: job id. */
  readonly revived: RevivedRecord;
  /** Key: node id. */
  readonly removed: RemovedRecord;
  readonly group: Group;
  /** Key: its kind, a blank and the id, or the name of the schedule. */
  readonly followUp: FollowUpRecord;
  /** Key: its name. */
  readonly queue: QueueRecord;
  /** Key: its name. */
  readonly schedule: Schedule;
}

export type StateTable = keyof StateTables;

/** A record as it now is; null: it is gone. */
export type StateRecord<Table extends StateTable = StateTable> = {
  readonly [Name in Table]: { readonly table: Name; readonly key: string; readonly value: StateTables[Name] | null };
}[Table];
