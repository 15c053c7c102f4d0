import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, copyFile, link, lstat, mkdir, readdir, rename, rm, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../src/cas/digest.ts';

export interface InputFilesOptions {
  /** What the files may take together; those unused for longest go first. */
  readonly maxBytes: number;
}

/** Writes the bytes of a blob to a path where nothing is, checked against the digest. */
export type WriteBlob = (digest: Digest, path: string) => Promise<void>;

interface Known {
  readonly path: string;
  readonly size: number;
}

const MODES = { plain: 0o444, executable: 0o555 } as const;
/** Every file has this time: one with another was changed by a job, which read-only does not keep root from. */
const MADE_AT = new Date(Date.UTC(2000, 0, 1));
const UNFINISHED = '.part';

/**
 * Files of input trees, each once, linked into the folders of the jobs that use them. They are copies of the blobs, so
 * that a job which changes one in spite of its mode harms no blob; such a file is found by its time and size when it is
 * used next, and made anew. All in one folder with the jobs' own on one file system.
 */
export class InputFiles {
  readonly #folder: string;
  readonly #write: WriteBlob;
  readonly #maxBytes: number;
  /** By name, those unused for longest first. */
  readonly #known = new Map<string, Known>();
  readonly #making = new Map<string, Promise<void>>();
  #bytes = 0;

  private constructor(folder: string, write: WriteBlob, { maxBytes }: InputFilesOptions) {
    this.#folder = folder;
    this.#write = write;
    this.#maxBytes = maxBytes;
  }

  /** What an earlier process left is used again, but for files that it did not finish. */
  static async open(folder: string, write: WriteBlob, options: InputFilesOptions): Promise<InputFiles> {
    const files = new InputFiles(folder, write, options);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const shard of await readdir(folder)) await files.#load(join(folder, shard));
    return files;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Links the file to a path where nothing is. @throws what the blob's writer throws; a system error */
  async place(digest: Digest, kind: keyof typeof MODES, path: string): Promise<void> {
    const name = kind === 'plain' ? digest.hash : `${digest.hash}.x`;
    for (;;) {
      await this.#have(name, digest, kind);
      const file = this.#known.get(name);
      if (file === undefined) continue;
      try {
        await link(file.path, path);
        return;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        // As many links as the file system allows: this job gets a copy.
        if (code === 'EMLINK') return copyFile(file.path, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
        if (code !== 'ENOENT') throw error;
        this.#forget(name);
      }
    }
  }

  async #have(name: string, digest: Digest, kind: keyof typeof MODES): Promise<void> {
    await this.#making.get(name);
    const known = this.#known.get(name);
    if (known !== undefined && (await isUnchanged(known))) {
      this.#known.delete(name);
      this.#known.set(name, known);
      return;
    }
    const making = this.#making.get(name) ?? this.#make(name, digest, kind).finally(() => this.#making.delete(name));
    this.#making.set(name, making);
    await making;
  }

  async #make(name: string, digest: Digest, kind: keyof typeof MODES): Promise<void> {
    await this.#drop(name);
    const shard = join(this.#folder, name.slice(0, 2));
    await mkdir(shard, { recursive: true, mode: 0o700 });
    const path = join(shard, name);
    const unfinished = `${path}.${randomUUID()}${UNFINISHED}`;
    try {
      await this.#write(digest, unfinished);
      await chmod(unfinished, MODES[kind]);
      await utimes(unfinished, MADE_AT, MADE_AT);
      await rename(unfinished, path);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
    this.#known.set(name, { path, size: digest.size });
    this.#bytes += digest.size;
    await this.#evict(name);
  }

  async #evict(except: string): Promise<void> {
    for (const name of this.#known.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      if (name !== except) await this.#drop(name);
    }
  }

  async #drop(name: string): Promise<void> {
    const known = this.#known.get(name);
    if (known === undefined) return;
    this.#forget(name);
    await unlink(known.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  #forget(name: string): void {
    this.#bytes -= this.#known.get(name)?.size ?? 0;
    this.#known.delete(name);
  }

  async #load(shard: string): Promise<void> {
    for (const name of await readdir(shard)) {
      const path = join(shard, name);
      if (name.endsWith(UNFINISHED)) {
        await unlink(path);
        continue;
      }
      const { size } = await lstat(path);
      this.#known.set(name, { path, size });
      this.#bytes += size;
    }
  }
}

async function isUnchanged({ path, size }: Known): Promise<boolean> {
  const stats = await lstat(path).catch(() => null);
  return stats !== null && stats.size === size && stats.mtimeMs === MADE_AT.getTime();
}
