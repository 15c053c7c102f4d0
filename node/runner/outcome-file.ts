import { closeSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import type { Incarnation } from '../../src/ids.ts';
import type { AttemptEnd, Timestamp } from '../../src/jobs/job.ts';
import { FILE_MODE } from './layout.ts';
import type { AttemptLayout } from './layout.ts';

/** How an attempt ended, as it is kept on disk until the cluster has it. */
export interface Ending {
  readonly startedAt: Timestamp | null;
  readonly endedAt: Timestamp;
  readonly end: AttemptEnd;
  /** Something lies in QUORATE_OUTPUTS. */
  readonly left?: 'something' | 'nothing';
  readonly incarnation: Incarnation;
}

const VERSION = 1;

/** Shorter ones are filled up with spaces to this: then one can be written over another without cutting the file. */
export const OUTCOME_BYTES = 1024;

/**
 * Not synced: it has to outlive processes, not the loss of power, which ends the attempt's runner session as well and
 * so makes the attempt a lost one. Whoever dies on the way leaves none, or a file that says nothing.
 * @throws a system error, as when the disk is full
 */
export function writeOutcome(layout: AttemptLayout, ending: Ending): void {
  const bytes = Buffer.from(JSON.stringify({ version: VERSION, ...ending }).padEnd(OUTCOME_BYTES));
  const unused = bytes.length === OUTCOME_BYTES ? openUnused(layout) : null;
  if (unused === null) return writeFileSync(layout.outcome, bytes, { mode: FILE_MODE });
  try {
    writeSync(unused, bytes, 0, bytes.length, 0);
  } finally {
    closeSync(unused);
  }
  renameSync(layout.unused, layout.outcome);
}

function openUnused(layout: AttemptLayout): number | null {
  try {
    return openSync(layout.unused, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Null when there is none, or none that a whole write left. */
export function readOutcome(layout: AttemptLayout): Ending | null {
  try {
    const { version, ...ending } = JSON.parse(readFileSync(layout.outcome, 'utf8')) as Ending & { version: number };
    return version === VERSION ? ending : null;
  } catch {
    return null;
  }
}

/** Keeps the fact that it ended, for those who follow the output, and that nobody needs to be told any more. */
export function markForgotten(layout: AttemptLayout): void {
  try {
    renameSync(layout.outcome, layout.forgotten);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    writeFileSync(layout.forgotten, '', { mode: 0o600 });
  }
}
