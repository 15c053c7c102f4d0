import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { BlobName, Digest } from '../../src/cas/digest.ts';
import { invalid } from '../../src/cas/directory.ts';
import { type TreeEntry, walkTree } from '../../src/cas/tree.ts';
import type { TreePart } from './port.ts';

/** Where the blobs of a tree come from. Both throw what is to become of the whole. */
export interface TreeSource {
  /** The bytes of a folder, checked against their name. */
  read(name: BlobName): Promise<Uint8Array>;
  /** Makes a file that nobody is to change, with these bytes, at a path where nothing is yet. */
  place(digest: Digest, kind: 'plain' | 'executable', path: string): Promise<void>;
}

/** Files that are placed at the same time. */
const PLACED_AT_ONCE = 16;

/**
 * Makes trees in a folder that is there and empty. Links are made last, behind all trees: nothing is written through
 * one.
 * @throws Rejection `invalidTree` also for two trees with a file of one path, `tooLarge`; what the source throws; a
 *   system error. What was made until then stays
 */
export async function materialise(
  parts: readonly TreePart[],
  folder: string,
  source: TreeSource,
  signal: AbortSignal,
): Promise<void> {
  const links: Extract<TreeEntry, { readonly kind: 'symlink' }>[] = [];
  async function* files(): AsyncGenerator<Extract<TreeEntry, { readonly kind: 'file' }>, void> {
    for (const { root, at } of parts) {
      // Another tree may have it already: recursive takes that.
      if (at !== '') await mkdir(join(folder, at), { recursive: true }).catch(taken(at));
      for await (const entry of walkTree(root, (name) => source.read(name))) {
        const path = join(at, entry.path);
        if (entry.kind === 'directory') await mkdir(join(folder, path), { recursive: true }).catch(taken(path));
        else if (entry.kind === 'symlink') links.push({ ...entry, path });
        else yield { ...entry, path };
      }
    }
  }
  const place = async ({ path, digest, executable }: Extract<TreeEntry, { readonly kind: 'file' }>): Promise<void> => {
    signal.throwIfAborted();
    await source.place(digest, executable ? 'executable' : 'plain', join(folder, path)).catch(taken(path));
  };
  await Readable.from(files()).forEach(place, { concurrency: PLACED_AT_ONCE, signal });
  for (const { path, target } of links) await symlink(target, join(folder, path)).catch(taken(path));
}

function taken(path: string): (error: unknown) => never {
  return (error) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'ENOTDIR') throw invalid(`${path} is there twice among the inputs`);
    throw error;
  };
}
