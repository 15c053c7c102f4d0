import { dirname, join } from 'node:path';
import { type BlobName, formatName } from '../../src/cas/digest.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import { type ByteRange, consume, cutRange, readFile, receive, tooLarge, verified } from './blob-bytes.ts';
import type { BlobIndex, BlobRow, Pin } from './blob-index.ts';
import type { BlobLayout } from './blob-layout.ts';
import type { Disk } from './disk.ts';
import { Eviction, isPinned } from './eviction.ts';
import type { BlobLimits } from './limits.ts';
import { NameLocks } from './name-locks.ts';
import { SharedPuts } from './shared-puts.ts';
import { Space } from './space.ts';

export interface PutOptions {
  /** As announced; null when it is not known. */
  readonly size: number | null;
  readonly pins: readonly Pin[];
}

export interface Stored {
  readonly size: number;
  /** It was here before. */
  readonly existed: boolean;
}

export interface OpenBlob {
  /** Of the whole blob, whatever part is read. */
  readonly size: number;
  /** A whole blob is checked as it is read: one that is wrong never ends in order. */
  readonly stream: AsyncIterable<Uint8Array<ArrayBuffer>>;
}

export interface LocalStoreDependencies {
  readonly layout: BlobLayout;
  readonly disk: Disk;
  readonly index: BlobIndex;
  /** Milliseconds of the epoch. */
  readonly now: () => number;
}

export interface LocalStoreOptions {
  readonly capacityBytes: number;
  readonly limits: BlobLimits;
}

/** What the copies at other nodes say to a blob that is to go, and who is told that one has gone bad or away. */
export interface StoreHooks {
  readonly mayGo: (names: readonly BlobName[]) => Promise<readonly boolean[]>;
  readonly onLost: (name: BlobName, size: number) => void;
}

/** A cluster of one: nothing is elsewhere, and nothing has to be. */
const ALONE: StoreHooks = { mayGo: async (names) => names.map(() => true), onLost: () => {} };

/**
 * The blobs on this node's disk. A blob has its name only once all its bytes are durable and were found to be right, and
 * never changes then.
 */
export class LocalStore {
  readonly index: BlobIndex;
  readonly layout: BlobLayout;
  readonly space: Space;
  readonly eviction: Eviction;
  readonly disk: Disk;
  readonly #now: () => number;
  readonly #limits: BlobLimits;
  readonly #locks = new NameLocks();
  readonly #putting: SharedPuts;
  /** Folders that are there for good. */
  readonly #shards = new Set<string>();
  /** Until when a blob stays because another node counts on it. */
  readonly #promised = new Map<string, number>();
  #hooks = ALONE;
  /** Until the folders are checked, a blob may be here that the index does not know. */
  #checked = false;
  #damaged = 0;

  constructor({ layout, disk, index, now }: LocalStoreDependencies, { capacityBytes, limits }: LocalStoreOptions) {
    this.layout = layout;
    this.index = index;
    this.disk = disk;
    this.#now = now;
    this.#limits = limits;
    this.#putting = new SharedPuts(limits.sharedPutMs);
    this.eviction = new Eviction(
      { index, now, mayGo: (names) => this.#hooks.mayGo(names), remove: (name) => this.remove(name) },
      limits,
    );
    this.space = new Space(
      { disk, folder: layout.folder, used: () => index.bytes, evict: (bytes) => this.eviction.free(bytes) },
      { capacityBytes, limits },
    );
  }

  setHooks(hooks: StoreHooks): void {
    this.#hooks = hooks;
  }

  /** Blobs that were found to be wrong since the start. */
  get damaged(): number {
    return this.#damaged;
  }

  /** From now on the index tells all that is here. */
  foldersChecked(): void {
    this.#checked = true;
  }

  /** Null when it is not here. */
  async stat(name: BlobName): Promise<{ readonly size: number } | null> {
    const row = await this.#find(name);
    return row === null ? null : { size: row.size };
  }

  /** The size of each that is here, null for the others; the index alone is asked once the folders are checked. */
  async sizes(names: readonly BlobName[]): Promise<readonly (number | null)[]> {
    const rows = this.#checked
      ? await this.index.rows(names)
      : await Promise.all(names.map((name) => this.#find(name)));
    return rows.map((row) => row?.size ?? null);
  }

  /**
   * Takes the bytes once they are durable and have that name; otherwise nothing stays. Those of a blob that is here
   * already are checked and not written again.
   * @throws Rejection `hashMismatch`, `tooLarge`; Fault `diskFull`, `diskFailed`; and what `source` throws
   */
  async put(name: BlobName, source: AsyncIterable<Uint8Array>, { size, pins }: PutOptions): Promise<Stored> {
    if (size !== null && size > this.#limits.blobBytes) throw tooLarge(this.#limits);
    await this.#putting.waitForAnother(name);
    const present = await this.#find(name);
    if (present !== null) {
      await consume(name, source, this.#limits, async () => {});
      if (await this.#use(name, pins)) return { size: present.size, existed: true };
      throw new Rejection('conflict', `the blob ${formatName(name)} went away meanwhile`);
    }
    return await this.#putting.run(name, () => this.#write(name, source, size ?? 0, pins));
  }

  /**
   * Takes a file of this node that nobody writes to any more, without copying it where the file system can: it then has
   * a second name. @throws as `put`; Rejection `notFound`
   */
  async adopt(name: BlobName, path: string, pins: readonly Pin[]): Promise<Stored> {
    const announced = await this.disk.size(path);
    if (announced === null) throw new Rejection('notFound', `there is no file ${path}`);
    const bytes = readFile({ disk: this.disk, path }, { start: 0, end: announced }, this.#limits);
    if ((await this.#find(name)) !== null) return await this.put(name, bytes, { size: announced, pins });
    const temporary = this.layout.newIncoming();
    if (!(await this.disk.link(path, temporary))) return await this.put(name, bytes, { size: announced, pins });
    try {
      return await this.#takeLinked(name, temporary, { bytes, announced, pins });
    } finally {
      await this.disk.remove(temporary);
    }
  }

  /** @throws Rejection `notFound`, `invalidRequest`; while reading Fault `corrupt`, `diskFailed` */
  async open(name: BlobName, range: ByteRange): Promise<OpenBlob> {
    const size = await this.#sizeToRead(name);
    if (size === null) throw new Rejection('notFound', `there is no blob ${formatName(name)}`);
    const { start, end } = cutRange(range, size);
    const stream = readFile({ disk: this.disk, path: this.layout.pathOf(name) }, { start, end }, this.#limits);
    if (start > 0 || end < size) return { size, stream };
    return { size, stream: verified(stream, name, () => this.setAside(name)) };
  }

  /** What is here stays while one of its pins stands. @returns false when it is not here */
  async pin(name: BlobName, pins: readonly Pin[]): Promise<boolean> {
    return (await this.#find(name)) !== null && (await this.#use(name, pins));
  }

  /** Lets go of everything that this one needed. */
  async release(owner: string): Promise<void> {
    for (const name of await this.index.ownedBy(owner)) {
      await this.#locks.run(name, () => this.index.unpin(name, owner));
    }
  }

  /**
   * Whether it is here, by a look at the disk; it then stays for so long, since the one who asks may remove its own
   * copy.
   */
  async promise(name: BlobName, forMs: number): Promise<boolean> {
    return await this.#locks.run(name, async () => {
      const row = await this.index.row(name);
      if (row === null || (await this.disk.size(this.layout.pathOf(name))) !== row.size) return false;
      this.#promised.set(formatName(name), this.#now() + forMs);
      return true;
    });
  }

  /** @returns false when it is needed, or not here */
  async remove(name: BlobName): Promise<boolean> {
    return await this.#locks.run(name, async () => {
      const row = await this.index.row(name);
      if (row === null || this.#isPromised(name) || isPinned(await this.index.pins(name), this.#now())) return false;
      // In this order: what the index tells is there.
      await this.index.remove(name, row);
      await this.disk.remove(this.layout.pathOf(name));
      return true;
    });
  }

  /** The file of a blob that lies elsewhere on the same disk gets to where it belongs. */
  async moveIn(name: BlobName, path: string): Promise<void> {
    await this.#locks.run(name, async () => {
      await this.#makeShard(name);
      await this.disk.rename(path, this.layout.pathOf(name));
      await this.disk.syncFolder(this.layout.shardOf(name));
      await this.#adoptRow(name);
    });
  }

  /** A file that lies where that blob does and has its size becomes known. For the check of the folders. */
  async take(name: BlobName): Promise<void> {
    await this.#locks.run(name, () => this.#adoptRow(name));
  }

  /** Its file is not there any more: so it is not, and may come from elsewhere. @returns whether that was so */
  async forgetIfGone(name: BlobName): Promise<boolean> {
    const gone = await this.#locks.run(name, async () => {
      const row = await this.index.row(name);
      if (row === null || (await this.disk.size(this.layout.pathOf(name))) !== null) return null;
      await this.index.remove(name, row);
      return row;
    });
    if (gone !== null) this.#hooks.onLost(name, gone.size);
    return gone !== null;
  }

  /** The blob was found to be wrong: its file goes out of the way, and whoever mends is told. */
  async setAside(name: BlobName): Promise<void> {
    const gone = await this.#locks.run(name, async () => {
      const row = await this.index.row(name);
      if (row === null) return null;
      await this.index.remove(name, row);
      await this.#keepDamaged(name);
      return row;
    });
    if (gone === null) return;
    this.#damaged += 1;
    this.#hooks.onLost(name, gone.size);
  }

  async close(): Promise<void> {
    await this.index.close();
  }

  async #write(name: BlobName, source: AsyncIterable<Uint8Array>, announced: number, pins: readonly Pin[]) {
    const reservation = await this.space.reserve(announced);
    const temporary = this.layout.newIncoming();
    try {
      const parts = { disk: this.disk, path: temporary, reservation };
      const size = await receive(parts, name, source, this.#limits);
      return await this.#place(name, temporary, size, pins);
    } finally {
      reservation.release();
      await this.disk.remove(temporary).catch(() => {});
    }
  }

  async #takeLinked(
    name: BlobName,
    temporary: string,
    file: { readonly bytes: AsyncIterable<Uint8Array>; readonly announced: number; readonly pins: readonly Pin[] },
  ): Promise<Stored> {
    const reservation = await this.space.reserve(file.announced);
    try {
      const size = await consume(name, file.bytes, this.#limits, async () => {});
      await this.#syncFile(temporary);
      return await this.#place(name, temporary, size, file.pins);
    } finally {
      reservation.release();
    }
  }

  /** Whoever wrote it may not have. */
  async #syncFile(path: string): Promise<void> {
    const file = await this.disk.open(path);
    if (file === null) throw new Fault('diskFailed', `${path} went away`);
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #place(name: BlobName, temporary: string, size: number, pins: readonly Pin[]): Promise<Stored> {
    return await this.#locks.run(name, async () => {
      const before = await this.index.row(name);
      if (before === null) {
        await this.#makeShard(name);
        await this.disk.rename(temporary, this.layout.pathOf(name));
        await this.disk.syncFolder(this.layout.shardOf(name));
        await this.index.set(name, { size, lastUse: this.#now() }, null);
      }
      for (const pin of pins) await this.index.pin(name, pin);
      return { size, existed: before !== null };
    });
  }

  async #makeShard(name: BlobName): Promise<void> {
    const shard = this.layout.shardOf(name);
    if (this.#shards.has(shard)) return;
    await this.disk.makeFolder(shard);
    // The folder above may be new too.
    for (const folder of [dirname(shard), this.layout.folder]) await this.disk.syncFolder(folder);
    this.#shards.add(shard);
  }

  /** Null when it is not here, or its file is not. */
  async #sizeToRead(name: BlobName): Promise<number | null> {
    const row = await this.#find(name);
    if (row === null) return null;
    if ((await this.disk.size(this.layout.pathOf(name))) === null) {
      // Somebody removed it by hand, or it was evicted this moment.
      await this.forgetIfGone(name);
      return null;
    }
    await this.#use(name, []);
    return row.size;
  }

  async #find(name: BlobName): Promise<BlobRow | null> {
    const row = await this.index.row(name);
    if (row !== null || this.#checked) return row;
    return await this.#locks.run(name, () => this.#adoptRow(name));
  }

  async #adoptRow(name: BlobName): Promise<BlobRow | null> {
    const known = await this.index.row(name);
    if (known !== null) return known;
    const size = await this.disk.size(this.layout.pathOf(name));
    if (size === null) return null;
    const row = { size, lastUse: this.#now() };
    await this.index.set(name, row, null);
    return row;
  }

  /** @returns false when it is gone */
  async #use(name: BlobName, pins: readonly Pin[]): Promise<boolean> {
    return await this.#locks.run(name, async () => {
      const row = await this.index.row(name);
      if (row === null) return false;
      const now = this.#now();
      if (now - row.lastUse >= this.#limits.touchEveryMs) await this.index.set(name, { ...row, lastUse: now }, row);
      for (const pin of pins) await this.index.pin(name, pin);
      return true;
    });
  }

  #isPromised(name: BlobName): boolean {
    const key = formatName(name);
    if ((this.#promised.get(key) ?? 0) > this.#now()) return true;
    this.#promised.delete(key);
    return false;
  }

  async #keepDamaged(name: BlobName): Promise<void> {
    const { damaged } = this.layout;
    const kept = await this.disk.list(damaged);
    const path = this.layout.pathOf(name);
    if (kept.length >= this.#limits.damagedFiles) await this.disk.remove(path);
    else await this.disk.rename(path, join(damaged, name.hash)).catch(() => this.disk.remove(path));
    await this.disk.syncFolder(dirname(path));
  }
}
