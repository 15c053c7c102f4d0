import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import type { Logger } from 'pino';
import { isHash } from '../../src/cas/digest.ts';
import { nameOfFile, type Shard } from './blob-layout.ts';
import type { Disk } from './disk.ts';
import type { BlobLimits } from './limits.ts';
import type { LocalStore } from './local-store.ts';

export interface FolderCheckDependencies {
  readonly store: LocalStore;
  readonly disk: Disk;
  readonly logger: Logger;
}

/**
 * Compares the index with the folders after a start, beside everything else: a crash may have taken the newest rows, and
 * people remove files. Blobs of the folders of before (`ab/cd/HASH`) are moved to where they lie now.
 */
export class FolderCheck {
  readonly #dependencies: FolderCheckDependencies;
  readonly #limits: BlobLimits;
  #stopped = false;

  constructor(dependencies: FolderCheckDependencies, limits: BlobLimits) {
    this.#dependencies = dependencies;
    this.#limits = limits;
  }

  /** Resolves when all is checked, or it was stopped. */
  async run(): Promise<void> {
    const { store, logger } = this.#dependencies;
    const found = { added: 0, gone: 0 };
    try {
      await this.#moveOld();
      for (const shard of store.layout.shards) {
        if (this.#stopped) return;
        await this.#checkShard(shard, found);
      }
      store.foldersChecked();
      if (found.added + found.gone > 0) logger.info(found, 'the index of the blobs was not as the folders are');
    } catch (error) {
      // Blobs are found by a look at the disk then, as before the check.
      if (!this.#stopped) logger.warn({ err: error }, 'the folders of the blobs could not be checked');
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  async #checkShard(shard: Shard, found: { added: number; gone: number }): Promise<void> {
    const { store, disk } = this.#dependencies;
    const files = (await disk.list(shard.path)).flatMap((entry) => nameOfFile(shard, entry.name) ?? []);
    const there = new Set(files.map(({ hash }) => hash));
    const rows = await store.index.within(shard.function, shard.digits);
    const known = new Set(rows.map(({ name }) => name.hash));
    let looked = 0;
    for (const name of files) {
      if (!known.has(name.hash)) {
        await store.take(name);
        found.added += 1;
      }
      if ((looked += 1) % this.#limits.checkedFiles === 0) await breathe();
    }
    for (const { name } of rows) {
      // It may have come since the folder was read: the store looks again.
      if (!there.has(name.hash) && (await store.forgetIfGone(name))) found.gone += 1;
    }
    await breathe();
  }

  async #moveOld(): Promise<void> {
    const { store, disk } = this.#dependencies;
    const { folder } = store.layout;
    for (const outer of await oldFolders(disk, folder)) {
      for (const inner of await oldFolders(disk, outer)) {
        for (const { name: hash } of await disk.list(inner)) {
          if (this.#stopped) return;
          if (!isHash('sha256', hash)) continue;
          const name = { function: 'sha256', hash } as const;
          await store.moveIn(name, join(inner, hash));
        }
        await disk.removeFolder(inner);
      }
      await disk.removeFolder(outer);
    }
  }
}

async function oldFolders(disk: Disk, folder: string): Promise<readonly string[]> {
  const entries = await disk.list(folder);
  const old = entries.filter((entry) => entry.isDirectory() && /^[0-9a-f]{2}$/.test(entry.name));
  return old.map((entry) => join(folder, entry.name));
}
