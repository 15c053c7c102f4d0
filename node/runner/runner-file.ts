import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { Fault } from '../../src/errors.ts';
import type { Incarnation } from '../../src/ids.ts';
import { isAlive } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** `runner.json`: names the one runner process of a data folder and where it listens; it is the lock as well. */
export interface RunnerFile extends ProcessIdentity {
  readonly incarnation: Incarnation;
  readonly socket: string;
}

/** Null when there is none, or none that can be read. */
export function readRunnerFile(path: string): RunnerFile | null {
  try {
    const file = JSON.parse(readFileSync(path, 'utf8')) as RunnerFile;
    const valid = Number.isSafeInteger(file.pid) && file.pid > 1 && typeof file.socket === 'string';
    return valid ? file : null;
  } catch {
    return null;
  }
}

/**
 * A link to a file that is whole already, so that nobody sees half of one and only one of several wins. The file of a
 * dead process is moved away first.
 * @returns the file of the dead process before, if there was one. @throws Fault `runnerUnavailable`: another one lives
 */
export function takeRunnerFile(path: string, own: RunnerFile): RunnerFile | null {
  const mine = `${path}.${own.pid}`;
  const stale = `${mine}.stale`;
  writeFileSync(mine, JSON.stringify(own), { mode: 0o600 });
  try {
    if (tryLink(mine, path)) return null;
    const before = readRunnerFile(path);
    if (before !== null && isAlive(before)) throw otherLives(before.pid);
    renameSync(path, stale);
    const moved = readRunnerFile(stale);
    if (moved !== null && isAlive(moved)) {
      // Another starter was faster between the two looks: give its file back.
      tryLink(stale, path);
      throw otherLives(moved.pid);
    }
    if (!tryLink(mine, path)) throw otherLives(readRunnerFile(path)?.pid ?? 0);
    return before;
  } finally {
    rmSync(mine, { force: true });
    rmSync(stale, { force: true });
  }
}

export function ownsRunnerFile(path: string, own: RunnerFile): boolean {
  return readRunnerFile(path)?.incarnation === own.incarnation;
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function otherLives(pid: number): Fault {
  return new Fault('runnerUnavailable', `the runner process ${pid} has this folder`);
}
