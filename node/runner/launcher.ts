import type { Usage } from '../../src/jobs/job.ts';

export interface LaunchRequest {
  /** A path with a slash: absolute, or relative to `cwd`. */
  readonly executable: string;
  /** With the name of the program itself first. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Read as standard input. */
  readonly stdin: string;
  /** Created, appended to. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessExit {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Null where the launcher cannot tell. */
  readonly usage: Usage | null;
}

export interface LaunchListener {
  /** Once, if `launch` returned null; perhaps before it returns. `code` as in `ENOENT`. */
  failed(code: string): void;
  /** Once, if `launch` returned a pid, never before it has. What was left of the process group was killed before. */
  exited(exit: ProcessExit): void;
}

/**
 * Starts processes, each leader of a session and so of a process group of its own, with default signal dispositions,
 * an empty signal mask, the given files as standard streams and no other descriptor.
 */
export interface Launcher {
  readonly name: 'posixSpawn' | 'node';
  /** The pid, which is the process group too; null: `failed` is called. */
  launch(request: LaunchRequest, listener: LaunchListener): number | null;
  /** Whether a process of one that has ended may live on, as those do that left its process group. */
  leftBehind(): 'nothing' | 'maybe';
  close(): void;
}

/**
 * `adopt`: what processes leave behind becomes a child of this one, which must have no other children then; so it is
 * known whether there is any. `leave`: to the system.
 */
export type Orphans = 'adopt' | 'leave';
