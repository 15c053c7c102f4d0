import { truncate } from 'node:fs/promises';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { type Disk, type OpenFile, systemDisk } from '../../../node/blobs/disk.ts';
import { FolderCheck } from '../../../node/blobs/folder-check.ts';
import { BLOB_LIMITS } from '../../../node/blobs/limits.ts';
import { openLocalStore } from '../../../node/blobs/open-local-store.ts';
import { Turnstile } from '../../../node/blobs/turnstile.ts';
import { tempFolder } from '../storage/temp-folder.ts';
import { chunksOf, filesIn, nameOf, openStore, put, read, sample } from './support.ts';

class Cut extends Error {}

/** The machine loses power at the operation with that number: what was written and not synced is gone by half. */
class CutDisk {
  readonly disk: Disk;
  readonly #inner = systemDisk(new Turnstile(2));
  readonly #written = new Map<string, { written: number; synced: number }>();
  #left: number;
  #isOff = false;

  constructor(cutAt: number) {
    this.#left = cutAt;
    const step = async <Result>(work: () => Promise<Result>): Promise<Result> => {
      if (this.#isOff || this.#left <= 0) return await this.#off();
      this.#left -= 1;
      return await work();
    };
    const inner = this.#inner;
    this.disk = {
      ...inner,
      create: (path) => step(async () => this.#watch(path, await inner.create(path), step)),
      rename: (from, to) =>
        step(async () => {
          await inner.rename(from, to);
          const state = this.#written.get(from);
          if (state !== undefined) this.#written.set(to, state);
          this.#written.delete(from);
        }),
      remove: (path) => step(() => inner.remove(path)),
      makeFolder: (path) => step(() => inner.makeFolder(path)),
      syncFolder: (path) => step(() => inner.syncFolder(path)),
    };
  }

  get wasCut(): boolean {
    return this.#isOff;
  }

  async #off(): Promise<never> {
    if (!this.#isOff) {
      this.#isOff = true;
      for (const [path, { written, synced }] of this.#written) {
        if (written > synced) await truncate(path, Math.floor((written + synced) / 2)).catch(() => {});
      }
    }
    throw new Cut('the power is gone');
  }

  #watch(path: string, file: OpenFile, step: <Result>(work: () => Promise<Result>) => Promise<Result>): OpenFile {
    const state = { written: 0, synced: 0 };
    this.#written.set(path, state);
    return {
      ...file,
      size: file.size,
      write: (bytes) =>
        step(async () => {
          await file.write(bytes);
          state.written += bytes.length;
        }),
      sync: () =>
        step(async () => {
          await file.sync();
          state.synced = state.written;
        }),
    };
  }
}

const KEPT = sample(1, 5000);
const COMING = sample(2, 30_000);

describe('a crash at any step', () => {
  test.each(['of a put', 'of an eviction'] as const)(
    '%s leaves no wrong blob, and nothing half written',
    async (what) => {
      let steps = 0;
      for (let cutAt = 0; ; cutAt += 1) {
        const folder = await tempFolder();
        const before = await openLocalStore(folder, { capacityBytes: 1e9 });
        await put(before, KEPT);
        await before.close();
        const cut = new CutDisk(cutAt);
        const acknowledged = await crashing(folder, cut, what);
        const store = await openStore(folder);
        await new FolderCheck({ store, disk: store.disk, logger: pino({ level: 'silent' }) }, BLOB_LIMITS).run();
        for (const file of await filesIn(folder)) expect([nameOf(KEPT).hash, nameOf(COMING).hash]).toContain(file);
        const there = await store.stat(nameOf(COMING));
        if (acknowledged) expect(there).toEqual({ size: COMING.length });
        if (there !== null) expect((await read(store, nameOf(COMING))).equals(COMING)).toBe(true);
        const kept = await store.stat(nameOf(KEPT));
        if (what === 'of a put') expect(kept).toEqual({ size: KEPT.length });
        if (kept !== null) expect((await read(store, nameOf(KEPT))).equals(KEPT)).toBe(true);
        expect((await put(store, COMING)).size).toBe(COMING.length);
        await store.close();
        steps = cutAt;
        if (!cut.wasCut) break;
      }
      expect(steps).toBeGreaterThan(9);
    },
  );
});

/** @returns whether the put was acknowledged before the power went */
async function crashing(folder: string, cut: CutDisk, what: 'of a put' | 'of an eviction'): Promise<boolean> {
  const capacityBytes = what === 'of a put' ? 1e9 : COMING.length + 100;
  const limits = { syncEveryBytes: 10_000 };
  try {
    const store = await openLocalStore(folder, { capacityBytes, limits, disk: cut.disk });
    try {
      await store.put(nameOf(COMING), chunksOf(COMING, 6000), { size: COMING.length, pins: [] });
      return true;
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!cut.wasCut) throw error;
    return false;
  }
}
