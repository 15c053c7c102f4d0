import { LIMITS } from '../../src/limits.ts';
import type { Launcher } from './launcher.ts';
import type { RetentionLimits } from './retention.ts';

/** What the supervisor may set of a runner process; it goes there as JSON. */
export interface RunnerOptions {
  /** Between TERM and KILL. */
  readonly graceMs: number;
  /** A process without node, jobs and untold ends goes away after this long. */
  readonly idleExitMs: number;
  readonly launcher: Launcher['name'];
  /** PATH of jobs; null: the usual one. */
  readonly path: string | null;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly logBytes: number;
  readonly heldMax: number;
  readonly kept: RetentionLimits;
}

export const DEFAULT_RUNNER_OPTIONS: RunnerOptions = {
  graceMs: 5_000,
  idleExitMs: 5 * 60_000,
  launcher: 'posixSpawn',
  path: null,
  logLevel: 'info',
  logBytes: LIMITS.logBytes,
  heldMax: LIMITS.runnerAttempts,
  kept: { attempts: LIMITS.keptAttempts, ageMs: LIMITS.keptAttemptsMs, bytes: LIMITS.keptLogBytes },
};

export function parseRunnerOptions(json: string): RunnerOptions {
  return { ...DEFAULT_RUNNER_OPTIONS, ...(JSON.parse(json) as Partial<RunnerOptions>) };
}

/** Of a runner process that found another one at work in its folder. */
export const ANOTHER_LIVES_EXIT_CODE = 75;
