import type { Scope } from '../auth.ts';
import type { FinalState, JobState, AttemptOutcome, Outputs, Usage } from '../jobs/job.ts';
import type { Explanation } from '../scheduling/explain.ts';
import type { JobSpec } from '../jobs/spec.ts';

/** The shapes that the HTTP API answers with. Times are RFC 3339 in UTC. */

export interface AttemptView {
  readonly attempt: number;
  readonly runner: string;
  readonly state: 'assigned' | 'running' | AttemptOutcome;
  readonly assignedAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string | null;
  readonly usage: Usage | null;
  /** What it left; null: nothing, or it has not ended. */
  readonly outputs: Outputs | null;
}

export interface JobView {
  readonly id: string;
  readonly state: JobState;
  readonly spec: JobSpec;
  readonly project: string;
  readonly queue: string;
  readonly submittedBy: string;
  readonly submittedAt: string;
  readonly finalAt: string | null;
  /** Of the last attempt. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string | null;
  readonly attempts: readonly AttemptView[];
  readonly parent: string | null;
  readonly group: string | null;
  /** The schedule that submitted it, and for which of its times (null: by hand); null: none did. */
  readonly schedule: { readonly name: string; readonly due: string | null } | null;
  /** Why it is not queued yet; null unless it waits. */
  readonly waitsFor: WaitView | null;
  readonly index: number;
}

export type WaitView =
  | { readonly why: 'dependencies'; readonly missing: readonly string[] }
  | { readonly why: 'notBefore' | 'backoff'; readonly until: string }
  | { readonly why: 'resourceGroup' | 'group' };

/** One thing that a job left. */
export interface OutputItem {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink';
  /** Bytes and SHA-256 of a file. */
  readonly size?: number;
  readonly hash?: string;
  readonly executable?: boolean;
  /** Of a symbolic link. */
  readonly target?: string;
}

export interface OutputsView extends Page<OutputItem> {
  /** Null: it left nothing. */
  readonly rootDigest: string | null;
  readonly entries: number;
  readonly bytes: number;
}

/** Why a job is where it is, in numbers. */
export type ExplanationView =
  | { readonly state: FinalState; readonly reason: string | null }
  | (Omit<LiveExplanation, 'runner' | 'makesRoomFor'> & {
      readonly runner: string;
      readonly makesRoomFor: { readonly job: string; readonly priority: number; readonly since: string } | null;
    })
  | ({ readonly state: 'waiting'; readonly inside?: number; readonly ahead?: number } & WaitView)
  | (Omit<QueuedExplanation, 'claim'> & {
      readonly claim: { readonly runner: string; readonly since: string; readonly stopping: number } | null;
    });

type LiveExplanation = Extract<Explanation, { readonly state: 'assigned' | 'running' }>;
type QueuedExplanation = Extract<Explanation, { readonly state: 'queued' }>;

export interface GroupView {
  readonly id: string;
  readonly name: string | null;
  readonly project: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: 'open' | 'closed' | 'finished';
  readonly maxRunning: number | null;
  readonly failFast: boolean;
  readonly counts: Readonly<Record<JobState, number>>;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly finishedAt: string | null;
  /** Who or what cancelled its jobs; null: nobody did. */
  readonly cancelledBy: string | null;
  readonly index: number;
}

/** Null: no limit. */
export interface QueueLimitsView {
  readonly running: number | null;
  readonly cpu: number | null;
  /** Bytes. */
  readonly memory: number | null;
}

export interface QueueView {
  readonly name: string;
  readonly weight: number;
  readonly paused: boolean;
  readonly strategy: 'spread' | 'pack';
  /** Whether its jobs may be stopped, and queued again, for jobs of higher priority. */
  readonly preemption: 'off' | 'requeue';
  readonly limits: QueueLimitsView;
  readonly projectLimits: QueueLimitsView;
  /** Jobs that wait for a runner, and live attempts. */
  readonly queued: number;
  readonly running: number;
  readonly used: ResourcesView;
  /** The part of the cluster that it holds, of the resource of which it holds the largest part. */
  readonly share: number;
  /** Those of which a job is queued or runs. */
  readonly projects: readonly QueueProjectView[];
  /** The log index of its last change; null: nobody has set anything, and all is as by default. */
  readonly index: number | null;
}

export interface QueueProjectView {
  readonly project: string;
  readonly queued: number;
  readonly running: number;
  readonly used: ResourcesView;
  readonly share: number;
}

export function isFinalView(job: JobView): job is JobView & { readonly state: FinalState } {
  return job.finalAt !== null;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

export interface ResourcesView {
  readonly cpu: number;
  readonly memory: number;
  readonly gpu: number;
  readonly disk: number;
  readonly custom: Readonly<Record<string, number>>;
}

export interface RunnerView {
  readonly id: string;
  readonly incarnation: string;
  readonly total: ResourcesView;
  readonly free: ResourcesView;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: 'ready' | 'draining' | 'lost';
  /** Ids of the jobs assigned or running there. */
  readonly running: readonly string[];
  /** What the machine itself last told by gossip; null when nothing fresh came. */
  readonly load: { readonly load1: number; readonly memoryFree: number; readonly diskFree: number } | null;
}

/** What the whole cluster's jobs do, in numbers that are kept and not counted anew. */
export interface StatsView {
  /** Those that are not final. */
  readonly jobs: Readonly<Record<'waiting' | 'queued' | 'assigned' | 'running', number>>;
  /** Since the cluster began; their differences are rates. */
  readonly totals: {
    /** Those that were tried again by hand count again. */
    readonly submitted: number;
    /** Attempts given to a runner. */
    readonly started: number;
    readonly ended: Readonly<Record<FinalState, number>>;
  };
  /** Of the queued jobs the one that was submitted first. */
  readonly oldestQueued: OldestQueuedView | null;
  readonly index: number;
}

export interface OldestQueuedView {
  readonly id: string;
  readonly name: string | null;
  readonly queue: string;
  readonly project: string;
  readonly submittedAt: string;
}

export interface MemberView {
  readonly id: string;
  readonly role: 'voter' | 'learner' | 'worker';
  readonly addresses: readonly string[];
  readonly http: string | null;
  readonly health: 'alive' | 'unreachable' | 'unknown';
  readonly version: string;
  /** What a user asked for; null: the leader decides. */
  readonly wish: 'voter' | 'learner' | 'leave' | null;
  /** As the member itself says; null: it was not asked, or did not answer. */
  readonly commitIndex: number | null;
  readonly appliedIndex: number | null;
  /** Entries of the leader's log that it does not hold yet; null: the leader was not asked. */
  readonly lag: number | null;
  /** When the leader heard of it last; null: never since it was elected, or the leader was not asked. */
  readonly lastSeen: string | null;
}

export const WARNING_CODES = [
  'quorumLost',
  'quorumAtRisk',
  'voterUnreachable',
  'evenVoters',
  'wishPending',
  'heldByParents',
] as const;

/** What a person should see to. */
export interface WarningView {
  readonly code: (typeof WARNING_CODES)[number];
  readonly detail: string;
  /** The member that it is about. */
  readonly member: string | null;
}

export interface ClusterView {
  readonly clusterId: string;
  /** The node that answered. */
  readonly node: string;
  readonly leader: string | null;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly members: readonly MemberView[];
  /** How many more voters may fail before nothing is taken any more. */
  readonly faultTolerance: number;
  readonly warnings: readonly WarningView[];
  readonly settings: {
    /** How many nodes are to vote. */
    readonly voters: number;
    /** A duration, `automatic` or `never`. */
    readonly replaceDeadAfter: string;
  };
}

export interface TokenView {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresAt: string | null;
}

/** Told once, at creation. */
export interface CreatedToken extends TokenView {
  readonly token: string;
}

export interface CreatedJoinToken {
  readonly token: string;
  readonly uses: number;
  readonly expiresAt: string;
}

/** How another machine becomes a member. */
export interface InvitationView extends CreatedJoinToken {
  /** To be run there. */
  readonly command: string;
}

/** One line of the answer to a batch, in the order of the request. */
export type BatchLine = { readonly id: string } | { readonly error: Problem };

/** RFC 9457 problem details. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** Stable; see src/errors.ts. */
  readonly code: string;
  readonly detail: string;
  readonly field?: string;
  readonly limit?: { readonly name: string; readonly value: number };
}

export interface Readiness {
  readonly ready: boolean;
  /** What is missing, in words a person understands; empty when ready. */
  readonly missing: readonly string[];
}

/** Part of a job's output. */
export interface LogEvent {
  readonly stream: 'stdout' | 'stderr';
  /** When this node saw it. */
  readonly at: string;
  readonly data: Uint8Array;
}
