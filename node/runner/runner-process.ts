import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Fault } from '../../src/errors.ts';
import type { RunnerLayout } from './layout.ts';
import { isAlive } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';
import type { RunnerOptions } from './runner-options.ts';

const PROGRAM = fileURLToPath(new URL('./main.ts', import.meta.url));
const LOG_BYTES_MAX = 8 * 1024 * 1024;
const LOG_TAIL_CHARACTERS = 2_000;
/** The system ends a killed process at once, unless it waits for a disk. */
const DEATH_MS = 10_000;
const DEATH_POLL_MS = 5;

export interface SpawnedRunner {
  /** Null while it runs. */
  exitCode(): number | null;
}

/** A session of its own, and nothing of this process but three descriptors: it outlives us. */
export function spawnRunner(layout: RunnerLayout, options: Partial<RunnerOptions>): SpawnedRunner {
  mkdirSync(layout.root, { recursive: true, mode: 0o700 });
  const log = openLog(layout.logFile);
  try {
    const args = ['--disable-warning=ExperimentalWarning', PROGRAM, '--dir', layout.root];
    const child = spawn(process.execPath, [...args, '--options', JSON.stringify(options)], {
      cwd: layout.root,
      // Jobs can read the environment of a process of their own user, so no token goes there.
      env: { PATH: process.env['PATH'] },
      detached: true,
      stdio: ['ignore', 'ignore', log],
    });
    let failed = false;
    child.on('error', () => (failed = true));
    child.unref();
    return { exitCode: () => (failed ? -1 : (child.exitCode ?? (child.signalCode === null ? null : -1))) };
  } finally {
    closeSync(log);
  }
}

/** Its jobs are ended by the runner process that comes next. @throws Fault `runnerUnavailable` */
export async function killProcess(identity: ProcessIdentity): Promise<void> {
  if (isAlive(identity)) process.kill(identity.pid, 'SIGKILL');
  if (!(await waitForDeath(identity, DEATH_MS))) {
    throw new Fault('runnerUnavailable', `the runner process ${identity.pid} does not die`);
  }
}

/** @returns whether it died within the time */
export async function waitForDeath(identity: ProcessIdentity, ms: number): Promise<boolean> {
  for (const deadline = performance.now() + ms; isAlive(identity); await sleep(DEATH_POLL_MS)) {
    if (performance.now() > deadline) return false;
  }
  return true;
}

/** What the runner process said last, for the message about its death. */
export function readLogTail(layout: RunnerLayout): string {
  try {
    return readFileSync(layout.logFile, 'utf8').slice(-LOG_TAIL_CHARACTERS).trim();
  } catch {
    return '';
  }
}

function openLog(path: string): number {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_BYTES_MAX) renameSync(path, `${path}.1`);
  return openSync(path, 'a', 0o600);
}
