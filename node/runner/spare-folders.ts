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
/** Clocks of file systems may stand still for a hundredth of a second: what changed later than this may change unseen. */
const SETTLED_MS = 50;

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

/** When each folder in it was changed last, as of a time when it was empty; NaN where that was too late to be told. */
type EmptySince = readonly number[];

export function createSpareFolders({ folder }: { readonly folder: string }): SpareFolders {
  const spares: { readonly path: string; readonly emptySince: EmptySince }[] = [];
  const emptySince = new WeakMap<AttemptLayout, EmptySince>();
  /** Those of an earlier runner process may still be on their way out. */
  const prefix = `${PREFIX}${randomBytes(4).toString('hex')}`;
  let made = 0;
  return {
    take(layout) {
      for (let spare = spares.pop(); spare !== undefined; spare = spares.pop()) {
        try {
          renameSync(spare.path, layout.root);
          emptySince.set(layout, spare.emptySince);
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
    wants(layout) {
      if (spares.length >= SPARES_MAX) return false;
      const since = untouchedSince(layout, emptySince.get(layout) ?? []);
      if (since !== null) emptySince.set(layout, since);
      return since !== null;
    },
    giveBack(layout) {
      made += 1;
      const path = join(folder, `${prefix}-${made}`);
      renameSync(layout.root, path);
      renameSync(`${path}/outcome`, `${path}/unused`);
      spares.push({ path, emptySince: emptySince.get(layout) ?? [] });
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

/** Null: it was touched. @param before what this told of it when it was given back the last time */
function untouchedSince(layout: AttemptLayout, before: EmptySince): EmptySince | null {
  const { root, stdout, stderr, outcome } = layout;
  if (readdirSync(root).toSorted().join(' ') !== NAMES) return null;
  if (!isFile(stdout, 0) || !isFile(stderr, 0) || !isFile(outcome, OUTCOME_BYTES)) return null;
  const since: number[] = [];
  for (const [path, mode] of foldersOf(layout)) {
    const changedAt = emptySinceWhen(path, mode, before[since.length]);
    if (changedAt === null) return null;
    since.push(changedAt);
  }
  return since;
}

function foldersOf({ work, outputs, tmp }: AttemptLayout): readonly (readonly [path: string, mode: number])[] {
  return [
    [work, OPEN_FOLDER_MODE],
    [outputs, OPEN_FOLDER_MODE],
    [tmp, OWN_FOLDER_MODE],
  ];
}

/** Nobody can set the time of a change, so a folder with that of a time when it was empty is empty still. */
function emptySinceWhen(path: string, mode: number, before: number | undefined): number | null {
  const stats = lstatSync(path);
  if (!stats.isDirectory() || modeOf(stats) !== mode) return null;
  if (stats.ctimeMs === before) return before;
  if (readdirSync(path).length > 0) return null;
  return Date.now() - stats.ctimeMs > SETTLED_MS ? stats.ctimeMs : Number.NaN;
}

function isFile(path: string, size: number): boolean {
  const stats = lstatSync(path);
  return stats.isFile() && modeOf(stats) === FILE_MODE && stats.size === size && stats.nlink === 1;
}

function modeOf({ mode }: Stats): number {
  return mode & 0o7777;
}
