import { closeSync, existsSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { Fault } from '../../src/errors.ts';
import type { Timestamp } from '../../src/jobs/job.ts';
import { attemptName, FILE_MODE, parseAttemptName } from './layout.ts';
import type { AttemptKey } from './ports.ts';

/**
 * The attempts that ended, are forgotten and left no output: a line each with the attempt's name and when it ended, and
 * no folder. The file is begun anew once it holds as many as are kept; the one before stays beside it until then.
 */
export interface SilentList {
  /** @throws a system error; Fault `diskFull` */
  add(attempt: { readonly name: string; readonly endedAt: Timestamp }): void;
}

export interface SilentAttempt {
  readonly name: string;
  readonly endedAt: Timestamp;
}

export function openSilentList(path: string, { linesMax }: { readonly linesMax: number }): SilentList {
  let lines = readLines(path).length;
  let fd = openSync(path, 'a', FILE_MODE);
  /** Whoever died in the middle of a line, or found the disk full, left it without an end. */
  let isCut = lines > 0;

  function beginAnew(): void {
    if (existsSync(path)) renameSync(path, olderPath(path));
    const next = openSync(path, 'a', FILE_MODE);
    closeSync(fd);
    fd = next;
    lines = 0;
    isCut = false;
  }

  return {
    add({ name, endedAt }) {
      if (lines >= linesMax) beginAnew();
      const line = `${isCut ? '\n' : ''}${name} ${endedAt}\n`;
      lines += 1;
      isCut = true;
      if (writeSync(fd, line) < line.length) throw new Fault('diskFull', 'a line of the list was written in part');
      isCut = false;
    },
  };
}

/** The oldest first. */
export function readSilentList(path: string): readonly SilentAttempt[] {
  return [...readLines(olderPath(path)), ...readLines(path)].flatMap((line) => parseLine(line) ?? []);
}

export function isInSilentList(path: string, key: AttemptKey): boolean {
  const begin = `${attemptName(key)} `;
  return [path, olderPath(path)].some((file) => readLines(file).some((line) => line.startsWith(begin)));
}

function olderPath(path: string): string {
  return `${path}.1`;
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, 'latin1').split('\n').filter(Boolean);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function parseLine(line: string): SilentAttempt | null {
  const [name = '', time = ''] = line.split(' ');
  const endedAt = Number(time);
  return parseAttemptName(name) === null || !Number.isSafeInteger(endedAt) || endedAt <= 0 ? null : { name, endedAt };
}
