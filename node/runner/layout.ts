import { join } from 'node:path';
import { assert } from '../../src/errors.ts';
import { isJobId } from '../../src/ids.ts';
import type { AttemptKey } from './ports.ts';

/** Where everything of the runner lies: `<dataDir>/runner/` with the lock file, its log and one folder an attempt. */
export interface RunnerLayout {
  readonly root: string;
  readonly lockFile: string;
  readonly logFile: string;
  readonly attempts: string;
  /** Which attempts ended and left no output; see `silent-list.ts`. */
  readonly silentList: string;
}

/** What a job's processes may look into, and what is for their user only; the same for all users of one account. */
export const OPEN_FOLDER_MODE = 0o755;
export const OWN_FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;

export interface AttemptLayout {
  readonly root: string;
  readonly work: string;
  readonly outputs: string;
  readonly tmp: string;
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  /** How it ended, until the node has it committed. */
  readonly outcome: string;
  /** The same file after that. */
  readonly forgotten: string;
  readonly meta: string;
  /** The file that becomes the outcome, where the folder was made before the attempt. */
  readonly unused: string;
}

export function runnerLayout(root: string): RunnerLayout {
  return {
    root,
    lockFile: join(root, 'runner.json'),
    logFile: join(root, 'runner.log'),
    attempts: join(root, 'attempts'),
    silentList: join(root, 'silent'),
  };
}

export function runnerRoot(dataDir: string): string {
  return join(dataDir, 'runner');
}

export function attemptLayout(attempts: string, key: AttemptKey): AttemptLayout {
  assert(isAttemptKey(key), 'an attempt names a folder only after its key was checked');
  const root = `${attempts}/${attemptName(key)}`;
  return {
    root,
    work: `${root}/work`,
    outputs: `${root}/outputs`,
    tmp: `${root}/tmp`,
    stdin: `${root}/stdin`,
    stdout: `${root}/stdout`,
    stderr: `${root}/stderr`,
    outcome: `${root}/outcome`,
    forgotten: `${root}/forgotten`,
    meta: `${root}/meta`,
    unused: `${root}/unused`,
  };
}

export function attemptName(key: AttemptKey): string {
  return `${key.job}-${key.attempt}`;
}

/** Null for a folder that no attempt made. */
export function parseAttemptName(name: string): AttemptKey | null {
  const job = name.slice(0, 36);
  const digits = name.slice(37);
  if (!isJobId(job) || name[36] !== '-' || !/^[1-9][0-9]{0,14}$/.test(digits)) return null;
  return { job, attempt: Number(digits) };
}

export function isAttemptKey(key: AttemptKey): boolean {
  return isJobId(key.job) && Number.isSafeInteger(key.attempt) && key.attempt > 0;
}
