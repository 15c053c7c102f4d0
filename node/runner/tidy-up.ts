import { existsSync, readdirSync, rmSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Timestamp } from '../../src/jobs/job.ts';
import type { AttemptLayout } from './layout.ts';
import { markForgotten } from './outcome-file.ts';
import type { Remover } from './remover.ts';
import type { SilentList } from './silent-list.ts';
import type { SpareFolders } from './spare-folders.ts';

export interface TidyUpDependencies {
  readonly logger: Logger;
  readonly remover: Remover;
  readonly spares: SpareFolders;
  readonly silentList: SilentList;
}

export interface OverAttempt {
  readonly name: string;
  readonly layout: AttemptLayout;
  readonly endedAt: Timestamp;
  /** Of its output. */
  readonly bytes: number;
  /** No process of it is left that could have its folder open. */
  readonly isAlone: boolean;
}

/**
 * What becomes of the folder of an attempt that nobody needs to be told of any more: its output is kept, or it is for
 * another attempt. @throws a system error
 */
export function tidyUp(dependencies: TidyUpDependencies, attempt: OverAttempt): void {
  if (!giveBack(dependencies, attempt)) keepOutput(dependencies, attempt.layout);
}

/** One that left nothing needs no folder any more: it is noted, and its folder is for another. */
function giveBack(
  { spares, silentList, logger }: TidyUpDependencies,
  { name, layout, endedAt, bytes, isAlone }: OverAttempt,
): boolean {
  if (!isAlone || bytes > 0) return false;
  try {
    for (const path of [layout.meta, layout.stdin]) if (existsSync(path)) rmSync(path);
    if (!spares.wants(layout)) return false;
    // First: who reads the output and finds no folder looks there.
    silentList.add({ name, endedAt });
    spares.giveBack(layout);
    return true;
  } catch (err) {
    logger.warn({ err, path: layout.root }, 'the folder of an attempt cannot be used again');
    return false;
  }
}

/**
 * What is empty stays and goes with the rest later: removing is the dearest call of all, and file systems take long
 * to give out again what was removed a moment ago.
 */
function keepOutput({ remover }: TidyUpDependencies, layout: AttemptLayout): void {
  markForgotten(layout);
  for (const path of [layout.work, layout.outputs, layout.tmp]) if (!isEmptyFolder(path)) remover.remove(path);
  for (const path of [layout.stdin, layout.meta]) rmSync(path, { force: true });
}

function isEmptyFolder(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
