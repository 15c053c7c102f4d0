import { lstat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { invalid } from '../../src/cas/directory.ts';
import { pathPattern } from '../../src/jobs/path-pattern.ts';
import type { OutputPlaces } from './port.ts';
import { describeAt, scanFolder, type ScannedEntry } from './scan-folder.ts';

/**
 * What is to be kept, each path once, folders before what they hold. What is not there is passed over. No symbolic link
 * is followed: one on the way to a path hides what is behind it.
 * @throws Rejection `invalidTree` for a path that is there in both folders; a system error when one cannot be read
 */
export async function* findOutputs({ work, outputs, patterns }: OutputPlaces): AsyncGenerator<ScannedEntry, void> {
  const told = new Map<string, ScannedEntry['kind']>();
  for (const pattern of (await isFolder(work)) ? patterns : []) {
    for await (const entry of matching(work, posix.normalize(pattern).replace(/\/$/, ''))) {
      if (told.has(entry.path)) continue;
      told.set(entry.path, entry.kind);
      yield entry;
    }
  }
  if (!(await isFolder(outputs))) return;
  for await (const entry of scanFolder(outputs)) {
    const before = told.get(entry.path);
    if (before === 'directory' && entry.kind === 'directory') continue;
    if (before !== undefined) throw invalid(`${entry.path} is both in QUORATE_OUTPUTS and among the outputs`);
    yield entry;
  }
}

async function* matching(work: string, pattern: string): AsyncGenerator<ScannedEntry, void> {
  if (pattern === '.') return yield* scanFolder(work);
  const named = await entryAt(work, pattern);
  if (named !== null) {
    yield named;
    if (named.kind === 'directory') yield* inside(work, pattern);
    return;
  }
  const base = fixedPartOf(pattern);
  if (base === pattern) return;
  if (base !== '' && (await entryAt(work, base))?.kind !== 'directory') return;
  const matches = pathPattern(pattern);
  if (matches === null) throw invalid(`${pattern} stands for too many patterns`);
  let within: string | null = null;
  for await (const entry of inside(work, base)) {
    if (within !== null && entry.path.startsWith(within)) {
      yield entry;
    } else if (matches(entry.path)) {
      within = entry.kind === 'directory' ? `${entry.path}/` : null;
      yield entry;
    }
  }
}

/** The job may have put something else in its place, or nothing. */
async function isFolder(path: string): Promise<boolean> {
  return (await lstat(path).catch(absent))?.isDirectory() ?? false;
}

async function* inside(work: string, folder: string): AsyncGenerator<ScannedEntry, void> {
  for await (const entry of scanFolder(join(work, folder))) yield { ...entry, path: posix.join(folder, entry.path) };
}

/** Null when it is not there, or behind a symbolic link. */
async function entryAt(work: string, path: string): Promise<ScannedEntry | null> {
  const parents = path.split('/').slice(0, -1);
  let folder = work;
  for (const part of parents) {
    folder = join(folder, part);
    if ((await lstat(folder).catch(absent))?.isDirectory() !== true) return null;
  }
  return describeAt(join(work, path), path).catch(absent);
}

/** The folders of a pattern before the first that holds more than a name. */
function fixedPartOf(pattern: string): string {
  const parts = pattern.split('/');
  const first = parts.findIndex((part) => /[*?[\]{}()!]/.test(part));
  return first === -1 ? pattern : parts.slice(0, first).join('/');
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'ENAMETOOLONG') return null;
  throw error;
}
