import type { Incarnation, JobId, NodeId } from '../ids.ts';
import type { JobPlan } from './plan.ts';
import type { OfSchedule } from '../schedules/schedule.ts';
import type { JobSpec } from './spec.ts';

/** Milliseconds since 1970, as stamped by the leader into the entry; never read from a clock in apply. */
export type Timestamp = number;

/** Where in the log something happened. */
export interface Moment {
  readonly at: Timestamp;
  readonly index: number;
}

export type Outcome = 'succeeded' | 'failed' | 'timedOut' | 'cancelled' | 'lost';
export type FinalState = Outcome | 'expired';
export type JobState = 'waiting' | 'queued' | 'assigned' | 'running' | FinalState;

/** `preempted`: it was stopped to make room for a job of higher priority, and the job is queued again. */
export type AttemptOutcome = Outcome | 'preempted';

export const FINAL_STATES: readonly FinalState[] = ['succeeded', 'failed', 'timedOut', 'cancelled', 'lost', 'expired'];
export const JOB_STATES: readonly JobState[] = ['waiting', 'queued', 'assigned', 'running', ...FINAL_STATES];

/** What one attempt used, as told by the operating system at its end. */
export interface Usage {
  readonly cpuUserMs: number;
  readonly cpuSystemMs: number;
  /** Null when it stayed below what the runner process takes itself: Linux counts a child from before its exec. */
  readonly maxRssBytes: number | null;
}

interface AttemptBase {
  /** Counted from 1 within the job. */
  readonly attempt: number;
  readonly runner: NodeId;
  readonly incarnation: Incarnation;
  readonly assignedAt: Timestamp;
}

/** Whose room an attempt takes over, on the same runner; it has none of its own before. */
export interface Behind {
  readonly job: JobId;
  /** When its own job was queued, should it go back there. */
  readonly queuedAt: Timestamp;
}

type LiveBase = AttemptBase & { /** Absent: it holds room of its own. */ readonly behind?: Behind };

export type LiveAttempt =
  | (LiveBase & { readonly state: 'assigned' })
  | (LiveBase & { readonly state: 'running'; readonly startedAt: Timestamp });

/** How an attempt ended, as its runner tells it. */
export interface AttemptEnd {
  readonly outcome: Outcome;
  /** Null when a signal ended it or it never started. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** A sentence for people where the outcome alone does not tell, as "command not found". */
  readonly reason: string | null;
  readonly usage: Usage | null;
  /** What it left to be kept; absent: nothing. */
  readonly outputs?: Outputs;
}

/** The tree of what an attempt left. */
export interface Outputs {
  /** The name of its root, as `sha256:…`. */
  readonly rootDigest: string;
  /** Files, folders and links. */
  readonly entries: number;
  /** Of all its files. */
  readonly bytes: number;
}

export type EndedAttempt = AttemptBase &
  Omit<AttemptEnd, 'outcome'> & {
    readonly state: 'ended';
    readonly outcome: AttemptOutcome;
    readonly startedAt: Timestamp | null;
    readonly endedAt: Timestamp;
    /** Its runner was lost while it was there, and it with it: the job may be what ended that runner. */
    readonly lostWith?: 'runner';
  };

/** Of a job that had no attempt yet. */
export const NO_PAST: readonly EndedAttempt[] = [];

export type CancelRequest = { readonly at: Timestamp; readonly by: string };

/** An attempt is being stopped so that another job, of higher priority, has room. */
export interface PreemptRequest {
  readonly at: Timestamp;
  readonly by: JobId;
  readonly priority: number;
}

/** Room at a runner that is being made for a job that is queued, and that goes to none that comes behind it. */
export interface Claim {
  readonly at: Timestamp;
  readonly runner: NodeId;
  readonly incarnation: Incarnation;
}

interface JobBase {
  readonly id: JobId;
  readonly spec: JobSpec;
  readonly plan: JobPlan;
  /** The principal's id that submitted it. */
  readonly submittedBy: string;
  readonly submittedAt: Timestamp;
  /** Orders jobs of one priority: counts submissions and revivals of the whole cluster. */
  readonly sequence: number;
  readonly past: readonly EndedAttempt[];
  /** How many jobs stand above it: 0 for one that no job submitted. */
  readonly depth?: number;
  /** How often it came back after it was final, because a client had it tried again. */
  readonly revivals?: number;
  /** Absent: no schedule submitted it. */
  readonly schedule?: OfSchedule;
  /** The log index of the entry that last changed it. */
  readonly index: number;
}

/** What a job waits for before it is queued, in the order in which it waits. */
export type Wait =
  /** Jobs that have to be final first, those that are not yet. */
  | { readonly why: 'dependencies'; readonly missing: readonly JobId[] }
  | { readonly why: 'notBefore' | 'backoff'; readonly until: Timestamp }
  /** A turn: another job of its resource group has it, or as many of its group as may run at once. */
  | { readonly why: 'resourceGroup' | 'group' };

/** A field exists only where it is legal. Jobs are immutable values: apply replaces them. */
export type Job =
  | (JobBase & { readonly state: 'waiting' } & Wait)
  | (JobBase & { readonly state: 'queued'; readonly queuedAt: Timestamp; readonly claim?: Claim })
  | (JobBase & {
      readonly state: 'assigned' | 'running';
      readonly current: LiveAttempt;
      readonly cancel: CancelRequest | null;
      readonly preempt?: PreemptRequest;
    })
  | (JobBase & { readonly state: FinalState; readonly finalAt: Timestamp; readonly reason: string | null });

export type WaitingJob = Extract<Job, { state: 'waiting' }>;
/** Waits for jobs that are not final. */
export type UnmetJob = Extract<WaitingJob, { why: 'dependencies' }>;
export type QueuedJob = Extract<Job, { state: 'queued' }>;
export type LiveJob = Extract<Job, { state: 'assigned' | 'running' }>;
export type FinalJob = Extract<Job, { state: FinalState }>;
export type UnfinishedJob = Exclude<Job, FinalJob>;

const FINAL: ReadonlySet<JobState> = new Set(FINAL_STATES);

export function isFinalState(state: JobState): state is FinalState {
  return FINAL.has(state);
}

export function isFinal(job: Job): job is FinalJob {
  return 'finalAt' in job;
}

export function isUnmet(job: Job): job is UnmetJob {
  return job.state === 'waiting' && job.why === 'dependencies';
}
