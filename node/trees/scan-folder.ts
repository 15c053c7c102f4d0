import type { Dirent, Stats } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import ignore, { type Ignore } from 'ignore';

/** What is in a folder, before anything was read of it. `path` is relative to the folder, with `/` between names. */
export type ScannedEntry = { readonly path: string } & (
  | {
      readonly kind: 'file';
      /** Where it is. */
      readonly source: string;
      readonly size: number;
      readonly executable: boolean;
      readonly mode: number | null;
    }
  | { readonly kind: 'directory' }
  | { readonly kind: 'symlink'; readonly target: string }
  /** What no tree can hold, as `a socket`. */
  | { readonly kind: 'other'; readonly what: string }
);

export interface ScanOptions {
  /** `git`: leaves out what the `.gitignore` files of the folder name, and `.git` itself. */
  readonly ignore?: 'nothing' | 'git';
  readonly signal?: AbortSignal;
}

/** The ignore file of one folder; `at` is its path, with a slash at the end unless it is the root. */
interface IgnoreFile {
  readonly at: string;
  readonly rules: Ignore;
}

const PLAIN_MODES: readonly number[] = [0o644, 0o755];

/**
 * Everything in a folder, by name, each folder before what it holds. Symbolic links are told as they are, never
 * followed. @throws a system error when it cannot be read
 */
export async function* scanFolder(root: string, options: ScanOptions = {}): AsyncGenerator<ScannedEntry, void> {
  yield* scan(root, '', options, []);
}

async function* scan(
  root: string,
  path: string,
  options: ScanOptions,
  above: readonly IgnoreFile[],
): AsyncGenerator<ScannedEntry, void> {
  options.signal?.throwIfAborted();
  const folder = join(root, path);
  const rules = options.ignore === 'git' ? await withIgnoreFile(folder, path, above) : above;
  for (const entry of await listByName(folder)) {
    const inner = path === '' ? entry.name : `${path}/${entry.name}`;
    if (options.ignore === 'git' && isIgnored(inner, entry, rules)) continue;
    const found = await describeAt(join(folder, entry.name), inner);
    yield found;
    if (found.kind === 'directory') yield* scan(root, inner, options, rules);
  }
}

async function listByName(folder: string): Promise<readonly Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @param source where it is. @throws a system error, as when it is not there */
export async function describeAt(source: string, path: string): Promise<ScannedEntry> {
  // Node puts this in place of bytes that are no UTF-8: the thing could not be opened by such a name.
  if (path.includes('\ufffd')) return { kind: 'other', path, what: 'named in bytes that are no UTF-8' };
  const stats = await lstat(source);
  if (stats.isDirectory()) return { kind: 'directory', path };
  if (stats.isSymbolicLink()) return { kind: 'symlink', path, target: await readlink(source) };
  if (!stats.isFile()) return { kind: 'other', path, what: kindOf(stats) };
  const mode = stats.mode & 0o777;
  const executable = (mode & 0o100) !== 0;
  return { kind: 'file', path, source, size: stats.size, executable, mode: PLAIN_MODES.includes(mode) ? null : mode };
}

function kindOf(stats: Stats): string {
  if (stats.isSocket()) return 'a socket';
  if (stats.isFIFO()) return 'a pipe';
  return 'a device';
}

async function withIgnoreFile(
  folder: string,
  path: string,
  above: readonly IgnoreFile[],
): Promise<readonly IgnoreFile[]> {
  const text = await readFile(join(folder, '.gitignore'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'EISDIR') return null;
    throw error;
  });
  if (text === null) return above;
  return [...above, { at: path === '' ? '' : `${path}/`, rules: ignore().add(text) }];
}

/** As git: a file further down has the last word, and nothing below an ignored folder comes back. */
function isIgnored(path: string, entry: Dirent, files: readonly IgnoreFile[]): boolean {
  if (entry.name === '.git') return true;
  for (const { at, rules } of files.toReversed()) {
    const within = path.slice(at.length);
    const { ignored, unignored } = rules.test(entry.isDirectory() ? `${within}/` : within);
    if (ignored || unignored) return ignored;
  }
  return false;
}
