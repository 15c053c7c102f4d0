import type { LogEvent } from '../../src/api/views.ts';
import type { Incarnation, JobId } from '../../src/ids.ts';
import type { AttemptEnd, Timestamp } from '../../src/jobs/job.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';

/** One attempt that this machine is to run. */
export interface Assignment {
  readonly job: JobId;
  readonly attempt: number;
  readonly spec: JobSpec;
  /** Null for none. */
  readonly timeoutMs: number | null;
  /** How long neither output may grow; null for as long as it likes. */
  readonly idleTimeoutMs: number | null;
  /** Added to the job's environment by the node: QUORATE_URL and the like. */
  readonly env: Readonly<Record<string, string>>;
  /** The runner process that it was placed on; another one does not run it. */
  readonly incarnation?: Incarnation;
  /** A folder on the runner's disk that becomes the job's work folder; absent: an empty one is made. */
  readonly inputs?: string;
}

export interface AttemptKey {
  readonly job: JobId;
  readonly attempt: number;
}

/** A start comes before its end, or not at all where the end comes soon and tells when it was. */
export type RunnerEvent =
  | (AttemptKey & { readonly kind: 'started'; readonly at: Timestamp })
  | (AttemptKey & {
      readonly kind: 'ended';
      readonly startedAt: Timestamp | null;
      readonly endedAt: Timestamp;
      readonly end: AttemptEnd;
      /** Something lies in QUORATE_OUTPUTS. Absent: an earlier version did not look. */
      readonly left?: 'something' | 'nothing';
      /** The runner process that ran it, which may be an earlier one whose outcome was found on disk. */
      readonly incarnation: Incarnation;
    })
  /**
   * The runner process is gone, and so is what it ran. The supervisor starts a new one by itself; `connect()` then
   * answers with the new incarnation.
   */
  | { readonly kind: 'gone'; readonly incarnation: Incarnation };

/** The node's side of the runner process. */
export interface RunnerSupervisor {
  /**
   * Starts a runner process, or finds the one that an earlier node process left, and connects to it. Asked again, it
   * tells of the connection there is, or of the one that is being made after a `gone`.
   * @throws Fault `runnerUnavailable`
   */
  connect(): Promise<{
    readonly incarnation: Incarnation;
    readonly pid: number;
    /** Attempts that it runs or whose end is not forgotten yet. */
    readonly held: readonly AttemptKey[];
  }>;
  /**
   * Idempotent by (job, attempt), also after the attempt has ended. What is started after a `gone` and before the next
   * connection was meant for the runner process that is gone, and is dropped.
   * @throws Fault `runnerUnavailable` before the first connection
   */
  start(assignment: Assignment): void;
  /** TERM, then KILL after the grace time. The end comes as an event, as for an attempt unknown here. */
  stop(attempt: AttemptKey, why: 'cancelled' | 'lost'): void;
  /** The end is committed: the runner forgets the outcome file. Logs stay. */
  forget(attempt: AttemptKey): void;
  /**
   * The runner stops every job when it hears nothing new for `ms`, as lost; null: no limit (a cluster of one). There is
   * none before the first call. Once the time is over, jobs that are started before the next call are stopped too.
   */
  renew(ms: number | null): void;
  /** At least once for each end, until `forget`. */
  onEvent(listener: (event: RunnerEvent) => void): void;
  /** `keep`: jobs and the runner process go on for the next node process to find. */
  close(mode: 'keep' | 'killJobs'): Promise<void>;
}

/** How many bytes of each output lie before. */
export interface LogOffsets {
  readonly stdout: number;
  readonly stderr: number;
}

/** `offset` is where in its output it begins: before the end of the last piece when the job has emptied its file. */
export interface LogPiece extends LogEvent {
  readonly offset: number;
}

export interface LogQuery {
  readonly stream: 'stdout' | 'stderr' | 'both';
  readonly follow: boolean;
  /** In lines of each output. */
  readonly tail: number | null;
  /** In place of a tail. */
  readonly from?: LogOffsets;
}

/** Reads an attempt's output from this machine's disk, whether the runner process is alive or not. */
export interface LogReader {
  /**
   * @throws Fault `logUnavailable` when this machine has no such attempt.
   * With `follow` it ends once the attempt has ended and everything was read.
   */
  read(attempt: AttemptKey, query: LogQuery, signal: AbortSignal): AsyncIterable<LogPiece>;
  /** Where the last lines of each output begin. @throws Fault `logUnavailable` */
  tail(attempt: AttemptKey, lines: number): Promise<LogOffsets>;
}
