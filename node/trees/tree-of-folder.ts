import { createHash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { Digest } from '../../src/cas/digest.ts';
import { invalid } from '../../src/cas/directory.ts';
import { type BuiltTree, buildTree, type TreeEntry } from '../../src/cas/tree.ts';
import { Rejection } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import type { ScannedEntry } from './scan-folder.ts';

export interface FolderTree extends BuiltTree {
  /** Where the bytes of each file are, by hash; of equal files one. */
  readonly files: ReadonlyMap<string, { readonly digest: Digest; readonly source: string }>;
  /** Bytes of all files, equal ones counted each time. */
  readonly bytes: number;
  readonly entries: number;
}

/** Files that are read at the same time. */
const READS_AT_ONCE = 8;

/**
 * Hashes what a scan found and makes the tree of it.
 * @throws Rejection `invalidTree` for what no tree can hold and for a file that changes while it is read, `tooLarge` beyond the limits of trees
 */
export async function treeOf(scanned: AsyncIterable<ScannedEntry>): Promise<FolderTree> {
  const entries: TreeEntry[] = [];
  const files = new Map<string, { readonly digest: Digest; readonly source: string }>();
  let bytes = 0;
  const read = async (found: ScannedEntry): Promise<TreeEntry> => {
    if (found.kind === 'other') {
      throw invalid(`${found.path} is ${found.what}: a tree holds files, folders and symbolic links`);
    }
    if (found.kind !== 'file') return found;
    const { path, source, size, executable, mode } = found;
    const digest = await digestOfFile(source);
    if (digest.size !== size) throw invalid(`${path} changed while it was read`);
    files.set(digest.hash, { digest, source });
    bytes += size;
    return { kind: 'file', path, digest, executable, mode };
  };
  const hashed = Readable.from(within(scanned)).map(read, { concurrency: READS_AT_ONCE });
  for await (const entry of hashed as AsyncIterable<TreeEntry>) entries.push(entry);
  return { ...buildTree(entries, digestOf), files, bytes, entries: entries.length };
}

async function* within(scanned: AsyncIterable<ScannedEntry>): AsyncGenerator<ScannedEntry, void> {
  let count = 0;
  for await (const entry of scanned) {
    count += 1;
    if (count > LIMITS.treeEntries) throw tooMany();
    yield entry;
  }
}

export function digestOf(bytes: Uint8Array): Digest {
  return { function: 'sha256', hash: hash('sha256', bytes), size: bytes.length };
}

async function digestOfFile(path: string): Promise<Digest> {
  const state = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
    state.update(chunk);
    size += chunk.length;
  }
  return { function: 'sha256', hash: state.digest('hex'), size };
}

function tooMany(): Rejection {
  const { treeEntries: value } = LIMITS;
  return new Rejection('tooLarge', `the folder holds more than ${value} files, folders and links`, {
    limit: { name: 'treeEntries', value },
  });
}
