import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Fault, unreachable } from '../../src/errors.ts';
import type { RunnerLayout } from './layout.ts';
import { isAlive } from './process-identity.ts';
import { readRunnerFile } from './runner-file.ts';
import type { RunnerFile } from './runner-file.ts';
import { openLink } from './runner-link.ts';
import type { RunnerLink } from './runner-link.ts';
import { ANOTHER_LIVES_EXIT_CODE } from './runner-options.ts';
import type { RunnerOptions } from './runner-options.ts';
import { killProcess, readLogTail, spawnRunner } from './runner-process.ts';

const POLL_MS = 5;
const STARTS_MAX = 3;
/** From the spawn to its file in the folder, on a machine that is busy. */
const START_MS = 60_000;

export interface FoundRunner {
  readonly file: RunnerFile;
  readonly link: RunnerLink;
}

export interface FindOptions {
  readonly layout: RunnerLayout;
  readonly answerMs: number;
  readonly runner: Partial<RunnerOptions>;
}

/**
 * Connects to the runner process of this folder, or to a new one when there is none that lives and answers. One that
 * lives but cannot be spoken to is killed, and its jobs by the one that follows: two must never run jobs side by side.
 * `onNone` is called each time it is certain that none lives.
 * @throws Fault `runnerUnavailable`
 */
export async function findRunner(
  dependencies: { readonly logger: Logger; readonly onNone: () => void },
  options: FindOptions,
): Promise<FoundRunner> {
  for (let starts = 0; ; starts++) {
    const file = readLive(options.layout);
    const link = file === null ? null : await linkOrKill(dependencies, file, options);
    if (file !== null && link !== null) return { file, link };
    dependencies.onNone();
    if (starts === STARTS_MAX) {
      throw new Fault('runnerUnavailable', `no runner process can be started: ${readLogTail(options.layout)}`);
    }
    await startProcess(options);
  }
}

function readLive(layout: RunnerLayout): RunnerFile | null {
  const file = readRunnerFile(layout.lockFile);
  return file !== null && isAlive(file) ? file : null;
}

/** Returns once a process holds the folder, or the new one has ended without. */
async function startProcess({ layout, runner }: FindOptions): Promise<void> {
  const spawned = spawnRunner(layout, runner);
  const deadline = performance.now() + START_MS;
  while (readLive(layout) === null) {
    const exitCode = spawned.exitCode();
    if (exitCode !== null && exitCode !== ANOTHER_LIVES_EXIT_CODE) return;
    if (performance.now() > deadline) throw new Fault('runnerUnavailable', 'the runner process does not come up');
    await sleep(POLL_MS);
  }
}

/** Null: it is dead now. */
async function linkOrKill(
  { logger }: { readonly logger: Logger },
  file: RunnerFile,
  { answerMs }: FindOptions,
): Promise<RunnerLink | null> {
  const deadline = performance.now() + answerMs;
  while (isAlive(file)) {
    const result = await openLink(file.socket, { timeoutMs: Math.max(1, deadline - performance.now()) });
    switch (result.kind) {
      case 'linked':
        return result.link;
      case 'otherVersion':
        logger.warn({ pid: file.pid }, 'the runner process is of another version; it is ended with its jobs');
        await killProcess(file);
        return null;
      case 'silent':
      case 'unreachable':
        if (performance.now() >= deadline) {
          logger.error({ pid: file.pid }, 'the runner process does not answer; it is killed with its jobs');
          await killProcess(file);
        } else {
          await sleep(POLL_MS);
        }
        break;
      default:
        unreachable(result);
    }
  }
  return null;
}
