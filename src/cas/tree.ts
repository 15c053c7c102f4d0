import { Rejection } from '../errors.ts';
import { LIMITS, type LimitName } from '../limits.ts';
import type { BlobName, Digest } from './digest.ts';
import {
  checkName,
  decodeDirectory,
  type Directory,
  type DirectoryNode,
  encodeDirectory,
  type FileNode,
  invalid,
  type SymlinkNode,
} from './directory.ts';

/** One thing in a tree. `path` is relative to its root, with `/` between the names of folders. */
export type TreeEntry = { readonly path: string } & (
  | { readonly kind: 'file'; readonly digest: Digest; readonly executable: boolean; readonly mode: number | null }
  | { readonly kind: 'directory' }
  | { readonly kind: 'symlink'; readonly target: string }
);

export interface BuiltTree {
  readonly root: Digest;
  /** Every folder's bytes under the text of its hash; equal folders once. */
  readonly directories: ReadonlyMap<string, { readonly digest: Digest; readonly bytes: Uint8Array<ArrayBuffer> }>;
}

interface Folder {
  readonly files: FileNode[];
  readonly symlinks: SymlinkNode[];
  readonly folders: Map<string, Folder>;
  readonly taken: Set<string>;
}

const utf8 = new TextEncoder();

/**
 * The Merkle tree of what is given, in any order; folders on the way to something are made.
 * @param digestOf of the bytes of a folder
 * @throws Rejection `invalidTree` for paths that no tree may have, `tooLarge` for too many or too deep
 */
export function buildTree(entries: Iterable<TreeEntry>, digestOf: (bytes: Uint8Array) => Digest): BuiltTree {
  const root = emptyFolder();
  let count = 0;
  for (const entry of entries) {
    count += 1;
    expectWithin('treeEntries', count);
    place(root, entry);
  }
  const directories = new Map<string, { readonly digest: Digest; readonly bytes: Uint8Array<ArrayBuffer> }>();
  const seal = ({ files, symlinks, folders }: Folder): Digest => {
    const nodes: DirectoryNode[] = [];
    for (const [name, folder] of folders) nodes.push({ name, digest: seal(folder) });
    const bytes = encodeDirectory({ files, directories: nodes, symlinks });
    const digest = digestOf(bytes);
    directories.set(digest.hash, { digest, bytes });
    return digest;
  };
  return { root: seal(root), directories };
}

/**
 * All that is in a tree, each folder before what it holds. Each folder's bytes are asked for once, unless they come
 * again behind more than `REMEMBERED` others.
 * @param read the bytes of a folder, checked against their digest. What it throws goes to the caller
 * @throws Rejection `invalidTree` for bytes that are no folder, `tooLarge` for a tree beyond the limits
 */
export async function* walkTree(
  root: BlobName,
  read: (name: BlobName) => Promise<Uint8Array>,
): AsyncGenerator<TreeEntry, void> {
  const known = new Map<string, Directory>();
  const left: { readonly path: string; readonly depth: number; readonly digest: BlobName }[] = [
    { path: '', depth: 0, digest: root },
  ];
  let count = 0;
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { path: parent, depth, digest } = next;
    const directory = known.get(digest.hash) ?? decodeDirectory(await read(digest), digest.function);
    remember(known, digest.hash, directory);
    const pathOf = (name: string): string => joinPath(parent, name);
    const { files, symlinks, directories } = directory;
    count += files.length + symlinks.length + directories.length;
    expectWithin('treeEntries', count);
    if (directories.length > 0) expectWithin('treeDepth', depth + 1);
    for (const { name, ...file } of files) yield { kind: 'file', path: pathOf(name), ...file };
    for (const { name, target } of symlinks) yield { kind: 'symlink', path: pathOf(name), target };
    for (const folder of directories) yield { kind: 'directory', path: pathOf(folder.name) };
    for (const folder of directories.toReversed()) {
      left.push({ path: pathOf(folder.name), depth: depth + 1, digest: folder.digest });
    }
  }
}

/** Decoded folders that a walk keeps, in case that they come again. */
const REMEMBERED = 1_000;

function remember(known: Map<string, Directory>, hash: string, directory: Directory): void {
  known.delete(hash);
  known.set(hash, directory);
  if (known.size <= REMEMBERED) return;
  for (const oldest of known.keys()) {
    known.delete(oldest);
    break;
  }
}

function joinPath(parent: string, name: string): string {
  const path = parent === '' ? name : `${parent}/${name}`;
  if (path.length > LIMITS.treePathBytes / 4) expectWithin('treePathBytes', utf8.encode(path).length);
  return path;
}

function place(root: Folder, entry: TreeEntry): void {
  if (utf8.encode(entry.path).length > LIMITS.treePathBytes) expectWithin('treePathBytes', Infinity);
  const names = entry.path.split('/');
  const name = names.pop() ?? '';
  expectWithin('treeDepth', names.length + 1);
  let folder = root;
  for (const part of names) folder = folderIn(folder, part);
  if (entry.kind === 'directory') {
    folderIn(folder, name);
    return;
  }
  checkName(name);
  if (folder.taken.has(name)) throw invalid(`${entry.path} is there twice`);
  folder.taken.add(name);
  if (entry.kind === 'symlink') folder.symlinks.push({ name, target: entry.target });
  else folder.files.push({ name, digest: entry.digest, executable: entry.executable, mode: entry.mode });
}

function folderIn(parent: Folder, name: string): Folder {
  const known = parent.folders.get(name);
  if (known !== undefined) return known;
  checkName(name);
  if (parent.taken.has(name)) throw invalid(`${name} is a folder and something else`);
  const made = emptyFolder();
  parent.folders.set(name, made);
  parent.taken.add(name);
  return made;
}

function emptyFolder(): Folder {
  return { files: [], symlinks: [], folders: new Map(), taken: new Set() };
}

function expectWithin(name: Extract<LimitName, `tree${string}`>, value: number): void {
  const limit = LIMITS[name];
  if (value <= limit) return;
  throw new Rejection('tooLarge', `the tree is beyond the limit ${name} of ${limit}`, {
    limit: { name, value: limit },
  });
}
