import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, renameSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { FILE_MODE, OPEN_FOLDER_MODE, OWN_FOLDER_MODE } from './layout.ts';
import type { AttemptLayout } from './layout.ts';
import { OUTCOME_BYTES } from './outcome-file.ts';

/** As many as are likely to be wanted at once. */
const SPARES_MAX = 256;
const PREFIX = 'spare-';

/**
 * Furnished folders of attempts that left nothing behind, for attempts to come: a rename costs a tenth of what making
 * a folder with its files costs, and less by far where a file system is slow to give out what was removed lately.
 * Who gives one back knows that no process is left that could have it open.
 */
export interface SpareFolders {
  /** False: there is none. @throws a system error for which `isTaken` when the attempt has a folder already */
  take(layout: AttemptLayout): boolean;
  /** Whether it looks as it did at the beginning, but for the outcome, and is one too few. @throws a system error */
  wants(layout: AttemptLayout): boolean;
  /** @throws a system error */
  giveBack(layout: AttemptLayout): void;
}

export function createSpareFolders({ folder }: { readonly folder: string }): SpareFolders {
  const spares: string[] = [];
  /** Those of an earlier runner process may still be on their way out. */
  const prefix = `${PREFIX}${randomBytes(4).toString('hex')}`;
  let made = 0;
  return {
    take(layout) {
      for (let spare = spares.pop(); spare !== undefined; spare = spares.pop()) {
        try {
          renameSync(spare, layout.root);
          return true;
        } catch (error) {
          // Any other means that this one cannot be had: somebody else removed it, or its disk fails.
          if (!isTaken(error)) continue;
          spares.push(spare);
          throw error;
        }
      }
      return false;
    },
    wants: (layout) => spares.length < SPARES_MAX && isUntouched(layout),
    giveBack(layout) {
      made += 1;
      const spare = join(folder, `${prefix}-${made}`);
      renameSync(layout.root, spare);
      renameSync(`${spare}/outcome`, `${spare}/unused`);
      spares.push(spare);
    },
  };
}

/** Those of an earlier runner process may be in use by what it left. */
export function isSpareFolder(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** Whether the name that a folder was to have is that of another. */
export function isTaken(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EEXIST' || code === 'ENOTEMPTY';
}

const NAMES = 'outcome outputs stderr stdout tmp work';

function isUntouched(layout: AttemptLayout): boolean {
  return (
    readdirSync(layout.root).toSorted().join(' ') === NAMES &&
    isEmptyFolder(layout.work, OPEN_FOLDER_MODE) &&
    isEmptyFolder(layout.outputs, OPEN_FOLDER_MODE) &&
    isEmptyFolder(layout.tmp, OWN_FOLDER_MODE) &&
    isFile(layout.stdout, 0) &&
    isFile(layout.stderr, 0) &&
    isFile(layout.outcome, OUTCOME_BYTES)
  );
}

function isEmptyFolder(path: string, mode: number): boolean {
  const stats = lstatSync(path);
  return stats.isDirectory() && modeOf(stats) === mode && readdirSync(path).length === 0;
}

function isFile(path: string, size: number): boolean {
  const stats = lstatSync(path);
  return stats.isFile() && modeOf(stats) === FILE_MODE && stats.size === size && stats.nlink === 1;
}

function modeOf({ mode }: Stats): number {
  return mode & 0o7777;
}
