import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type BlobName, type Digest, formatName } from '../../src/cas/digest.ts';
import { invalid } from '../../src/cas/directory.ts';
import type { Outputs } from '../../src/jobs/job.ts';
import { findOutputs } from './find-outputs.ts';
import { InputFiles } from './input-files.ts';
import { materialise } from './materialise.ts';
import type { JobTrees, JobTreesOptions, OutputPlaces, TreeBlobs, TreePart } from './port.ts';
import { readDirectory, tellMissing } from './read-directory.ts';
import { type FolderTree, treeOf } from './tree-of-folder.ts';

/** Blobs that are put at the same time. */
const PUTS_AT_ONCE = 4;

export class DiskJobTrees implements JobTrees {
  readonly #blobs: TreeBlobs;
  readonly #files: InputFiles;

  /** @throws a system error */
  static async open(blobs: TreeBlobs, { filesFolder, filesBytes }: JobTreesOptions): Promise<DiskJobTrees> {
    const write = (digest: Digest, path: string): Promise<void> => writeBlob(blobs, digest, path);
    return new DiskJobTrees(blobs, await InputFiles.open(filesFolder, write, { maxBytes: filesBytes }));
  }

  private constructor(blobs: TreeBlobs, files: InputFiles) {
    this.#blobs = blobs;
    this.#files = files;
  }

  async materialise(parts: readonly TreePart[], folder: string, signal: AbortSignal): Promise<void> {
    const source = {
      read: (name: BlobName) => readDirectory(this.#blobs, name),
      place: (digest: Digest, kind: 'plain' | 'executable', path: string) => this.#files.place(digest, kind, path),
    };
    await mkdir(folder, 0o755);
    try {
      await materialise(parts, folder, source, signal);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async keep(places: OutputPlaces): Promise<Outputs | null> {
    const tree = await treeOf(findOutputs(places));
    if (tree.entries === 0) return null;
    await this.#put(tree);
    return { rootDigest: formatName(tree.root), entries: tree.entries, bytes: tree.bytes };
  }

  /** Folders behind what they name: who finds one finds all of it. */
  async #put({ files, directories }: FolderTree): Promise<void> {
    await Readable.from(files.values()).forEach(
      async ({ digest, source }: { readonly digest: Digest; readonly source: string }) => {
        await this.#blobs.putFile(digest, source);
      },
      { concurrency: PUTS_AT_ONCE },
    );
    for (const { digest, bytes } of directories.values()) await this.#blobs.put(digest, bytes);
  }
}

async function writeBlob(blobs: TreeBlobs, digest: Digest, path: string): Promise<void> {
  const { size, stream } = await blobs.open(digest).catch(tellMissing(digest));
  if (size !== digest.size)
    throw invalid(`${formatName(digest)} has ${size} bytes, not ${digest.size} as its folder says`);
  await pipeline(stream, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
}
