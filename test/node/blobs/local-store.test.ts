import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemDisk } from '../../../node/blobs/disk.ts';
import { Turnstile } from '../../../node/blobs/turnstile.ts';
import { tempFolder } from '../storage/temp-folder.ts';
import { bytesOf, chunksOf, filesIn, nameOf, openStore, put, read, sample } from './support.ts';

const HELLO = Buffer.from('hello, '.repeat(200_000) + 'world');
const NAME = nameOf(HELLO);
const NO_PINS = { size: null, pins: [] };

/** A disk that tells how many files are open for reading. */
function countingDisk() {
  const disk = systemDisk(new Turnstile(4));
  const counts = { open: 0 };
  return {
    ...disk,
    filesOpen: () => counts.open,
    open: async (path: string) => {
      const file = await disk.open(path);
      if (file === null) return null;
      counts.open += 1;
      const close = async (): Promise<void> => {
        counts.open -= 1;
        await file.close();
      };
      return { ...file, close };
    },
  };
}

describe('a blob', () => {
  test('is there under its name, whole and in parts, also after a restart', async () => {
    const folder = await tempFolder();
    const store = await openStore(folder);
    expect(await store.stat(NAME)).toBeNull();
    expect(await put(store, HELLO)).toEqual({ size: HELLO.length, existed: false });
    await store.close();
    const again = await openStore(folder);
    expect(await again.stat(NAME)).toEqual({ size: HELLO.length });
    expect((await read(again, NAME)).equals(HELLO)).toBe(true);
    const part = await again.open(NAME, { start: HELLO.length - 5, end: HELLO.length + 100 });
    expect([part.size, (await bytesOf(part.stream)).toString()]).toEqual([HELLO.length, 'world']);
    expect((await bytesOf((await again.open(NAME, { start: 0, end: 5 })).stream)).toString()).toBe('hello');
    expect(await readFile(join(folder, 'sha256', NAME.hash.slice(0, 2), NAME.hash))).toEqual(HELLO);
    expect([again.index.blobs, again.index.bytes]).toEqual([1, HELLO.length]);
  });

  test('of no bytes is one too', async () => {
    const store = await openStore(await tempFolder());
    const empty = new Uint8Array(0);
    expect(await put(store, empty)).toEqual({ size: 0, existed: false });
    expect(await read(store, nameOf(empty))).toHaveLength(0);
  });

  test('that is there already is checked and not written again', async () => {
    const store = await openStore(await tempFolder());
    await put(store, HELLO);
    expect(await put(store, HELLO)).toEqual({ size: HELLO.length, existed: true });
    const wrong = store.put(NAME, chunksOf(Buffer.from('other')), NO_PINS);
    await expect(wrong).rejects.toMatchObject({ code: 'hashMismatch' });
    expect((await read(store, NAME)).equals(HELLO)).toBe(true);
  });

  test('is stored once when many store it at the same time, one of them wrongly', async () => {
    const folder = await tempFolder();
    const store = await openStore(folder);
    const puts = Array.from({ length: 8 }, (_, at) => store.put(NAME, chunksOf(HELLO, 5000 + at), NO_PINS));
    const wrong = store.put(NAME, chunksOf(HELLO.subarray(1)), NO_PINS);
    await expect(wrong).rejects.toMatchObject({ code: 'hashMismatch' });
    const results = await Promise.all(puts);
    expect(results.filter(({ existed }) => !existed)).toHaveLength(1);
    expect(await filesIn(folder)).toEqual([NAME.hash]);
    expect(store.index.bytes).toBe(HELLO.length);
  });

  test('waits no longer than a while for another who puts the same and stalls', async () => {
    const store = await openStore(await tempFolder(), { limits: { sharedPutMs: 20 } });
    const { promise: never, resolve } = Promise.withResolvers<void>();
    async function* stalling() {
      yield HELLO.subarray(0, 10);
      await never;
    }
    const stalled = store.put(NAME, stalling(), NO_PINS);
    expect(await put(store, HELLO)).toEqual({ size: HELLO.length, existed: false });
    resolve();
    await expect(stalled).rejects.toMatchObject({ code: 'hashMismatch' });
    expect((await read(store, NAME)).equals(HELLO)).toBe(true);
  });

  test('that is not here is told', async () => {
    const store = await openStore(await tempFolder());
    await expect(store.open(NAME, { start: 0, end: 1 })).rejects.toMatchObject({ code: 'notFound' });
  });

  test('that the disk changed is told at its end, set aside, and can be stored again', async () => {
    const folder = await tempFolder();
    const store = await openStore(folder);
    const lost: string[] = [];
    store.setHooks({ mayGo: async () => [], onLost: ({ hash }) => lost.push(hash) });
    await put(store, HELLO);
    const bytes = Buffer.from(HELLO);
    bytes[700_000]! ^= 1;
    await writeFile(store.layout.pathOf(NAME), bytes);
    await expect(read(store, NAME)).rejects.toMatchObject({ code: 'corrupt' });
    expect(await store.stat(NAME)).toBeNull();
    expect(await readFile(join(folder, 'damaged', NAME.hash))).toEqual(bytes);
    expect([lost, store.damaged, store.index.bytes]).toEqual([[NAME.hash], 1, 0]);
    expect((await put(store, HELLO)).existed).toBe(false);
    expect((await read(store, NAME)).equals(HELLO)).toBe(true);
  });

  test('whose file somebody removed is gone, and can be stored again', async () => {
    const store = await openStore(await tempFolder());
    await put(store, HELLO);
    await rm(store.layout.pathOf(NAME));
    await expect(read(store, NAME)).rejects.toMatchObject({ code: 'notFound' });
    expect(await store.stat(NAME)).toBeNull();
    expect((await put(store, HELLO)).existed).toBe(false);
  });

  test('that is opened and not read holds no file open', async () => {
    const disk = countingDisk();
    const store = await openStore(await tempFolder(), { disk });
    await put(store, HELLO);
    const { stream } = await store.open(NAME, { start: 0, end: HELLO.length });
    expect(disk.filesOpen()).toBe(0);
    expect((await bytesOf(stream)).equals(HELLO)).toBe(true);
    expect(disk.filesOpen()).toBe(0);
  });

  test('is read to its end though it goes meanwhile', async () => {
    const store = await openStore(await tempFolder());
    await put(store, HELLO);
    const { stream } = await store.open(NAME, { start: 0, end: HELLO.length });
    const iterator = stream[Symbol.asyncIterator]();
    const first = await iterator.next();
    expect(await store.remove(NAME)).toBe(true);
    const rest = await bytesOf({ [Symbol.asyncIterator]: () => iterator });
    expect(Buffer.concat([first.value ?? Buffer.alloc(0), rest]).equals(HELLO)).toBe(true);
  });
});

describe('a file of this machine', () => {
  test('for which there is no room leaves nothing, neither a second name nor an open file', async () => {
    const folder = await tempFolder();
    const disk = countingDisk();
    const store = await openStore(join(folder, 'blobs'), { disk, capacityBytes: HELLO.length - 1 });
    const path = join(folder, 'output');
    await writeFile(path, HELLO);
    await expect(store.adopt(NAME, path, [])).rejects.toMatchObject({ code: 'diskFull' });
    expect(await filesIn(join(folder, 'blobs'))).toEqual([]);
    expect([disk.filesOpen(), (await stat(path)).nlink]).toEqual([0, 1]);
  });

  test('becomes a blob without its bytes being copied, and stays', async () => {
    const folder = await tempFolder();
    const store = await openStore(join(folder, 'blobs'));
    const path = join(folder, 'output');
    await writeFile(path, HELLO);
    expect(await store.adopt(NAME, path, [{ owner: 'job:1', until: null }])).toEqual({
      size: HELLO.length,
      existed: false,
    });
    expect((await stat(store.layout.pathOf(NAME))).ino).toBe((await stat(path)).ino);
    expect(await store.index.pins(NAME)).toEqual([{ owner: 'job:1', until: null }]);
    expect(await store.adopt(NAME, path, [])).toMatchObject({ existed: true });
    await rm(path);
    expect((await read(store, NAME)).equals(HELLO)).toBe(true);
    expect(await filesIn(join(folder, 'blobs'))).toEqual([NAME.hash]);
  });

  test('that has another name already is copied: all jobs of a machine share the files of inputs', async () => {
    const folder = await tempFolder();
    const store = await openStore(join(folder, 'blobs'));
    const path = join(folder, 'output');
    await writeFile(join(folder, 'input'), HELLO);
    await link(join(folder, 'input'), path);
    expect(await store.adopt(NAME, path, [])).toEqual({ size: HELLO.length, existed: false });
    await writeFile(join(folder, 'input'), 'other');
    expect((await read(store, NAME)).equals(HELLO)).toBe(true);
  });

  test('with another hash, or that is not there, leaves nothing', async () => {
    const folder = await tempFolder();
    const store = await openStore(join(folder, 'blobs'));
    const path = join(folder, 'output');
    await writeFile(path, 'other');
    await expect(store.adopt(NAME, path, [])).rejects.toMatchObject({ code: 'hashMismatch' });
    await expect(store.adopt(NAME, join(folder, 'none'), [])).rejects.toMatchObject({ code: 'notFound' });
    expect(await filesIn(join(folder, 'blobs'))).toEqual([]);
  });
});

describe('nothing is left of', () => {
  test('bytes with another hash', async () => {
    const folder = await tempFolder();
    const store = await openStore(folder);
    const wrong = store.put(NAME, chunksOf(Buffer.from('not hello')), NO_PINS);
    await expect(wrong).rejects.toMatchObject({ code: 'hashMismatch' });
    expect(await filesIn(folder)).toEqual([]);
    expect([await store.stat(NAME), store.index.blobs]).toEqual([null, 0]);
  });

  test('too many bytes, which are not read to their end', async () => {
    const folder = await tempFolder();
    const store = await openStore(folder, { limits: { blobBytes: 5000 } });
    let pieces = 0;
    async function* endless() {
      for (;;) yield Buffer.alloc(1000, pieces++);
    }
    await expect(store.put(NAME, endless(), NO_PINS)).rejects.toMatchObject({
      code: 'tooLarge',
      details: { limit: { name: 'blobBytes', value: 5000 } },
    });
    expect(pieces).toBe(6);
    const announced = store.put(NAME, endless(), { size: 5001, pins: [] });
    await expect(announced).rejects.toMatchObject({ code: 'tooLarge' });
    expect(pieces).toBe(6);
    expect(await filesIn(folder)).toEqual([]);
    expect((await put(store, Buffer.alloc(5000, 1))).size).toBe(5000);
  });

  test('a sender that breaks off', async () => {
    const folder = await tempFolder();
    const store = await openStore(folder);
    async function* breakingOff() {
      yield HELLO.subarray(0, 5000);
      throw new Error('connection lost');
    }
    await expect(store.put(NAME, breakingOff(), NO_PINS)).rejects.toThrow('connection lost');
    expect(await filesIn(folder)).toEqual([]);
    expect(store.space.isFull).toBe(false);
  });

  test('a crash, once the store is opened again', async () => {
    const folder = await tempFolder();
    await mkdir(join(folder, 'incoming'), { recursive: true });
    await writeFile(join(folder, 'incoming', 'half'), 'half');
    await openStore(folder);
    expect(await filesIn(folder)).toEqual([]);
  });
});

test.each([
  [5, 4],
  [-1, 4],
  [0.5, 4],
  [HELLO.length, HELLO.length + 1],
  [Number.NaN, 4],
])('a range from %d to %d is refused', async (start, end) => {
  const store = await openStore(await tempFolder());
  await put(store, HELLO);
  await expect(store.open(NAME, { start, end })).rejects.toMatchObject({ code: 'invalidRequest' });
});

describe('room', () => {
  const KIB = 1024;

  test('is made by those that were not used for longest', async () => {
    let now = 1_000_000;
    const store = await openStore(await tempFolder(), { capacityBytes: 10 * KIB, now: () => now });
    const blobs = Array.from({ length: 5 }, (_, at) => sample(at, 2 * KIB));
    for (const bytes of blobs) {
      now += 100_000;
      await put(store, bytes);
    }
    now += 100_000;
    await read(store, nameOf(blobs[0]!));
    await put(store, sample(9, 3 * KIB));
    const there = await store.sizes(blobs.map(nameOf));
    expect(there.map((size) => size !== null)).toEqual([true, false, false, true, true]);
    expect(store.index.bytes).toBe(9 * KIB);
    expect(store.eviction.evicted).toBe(2);
  });

  test('is never made of what is pinned, promised, or not safe elsewhere', async () => {
    let now = 1_000_000;
    const store = await openStore(await tempFolder(), { capacityBytes: 8 * KIB, now: () => now });
    const [pinned, promised, alone, pinnedShortly] = [1, 2, 3, 4].map((number) => sample(number, 2 * KIB));
    for (const bytes of [pinned!, promised!, alone!, pinnedShortly!]) await put(store, bytes);
    store.setHooks({
      mayGo: async (names) => names.map(({ hash }) => hash !== nameOf(alone!).hash),
      onLost: () => {},
    });
    await store.pin(nameOf(pinned!), [{ owner: 'job:1', until: null }]);
    await store.pin(nameOf(pinnedShortly!), [{ owner: 'job:2', until: now + 5000 }]);
    expect(await store.promise(nameOf(promised!), 60_000)).toBe(true);
    await expect(put(store, sample(5, KIB))).rejects.toMatchObject({ code: 'diskFull' });
    expect(store.index.blobs).toBe(4);
    now += 6000;
    await put(store, sample(5, KIB));
    expect(await store.stat(nameOf(pinnedShortly!))).toBeNull();
    await store.release('job:1');
    now += 2000;
    await put(store, sample(6, 2 * KIB));
    expect(await store.stat(nameOf(pinned!))).toBeNull();
    expect(await store.stat(nameOf(promised!))).not.toBeNull();
    expect(await store.stat(nameOf(alone!))).not.toBeNull();
  });

  test('is kept for what is being written: two that do not fit together are not both taken', async () => {
    const store = await openStore(await tempFolder(), { capacityBytes: 10 * KIB });
    const { promise: later, resolve } = Promise.withResolvers<void>();
    const bytes = sample(1, 6 * KIB);
    const begun = Promise.withResolvers<void>();
    async function* slowly() {
      yield bytes.subarray(0, 10);
      // It has its room by now.
      begun.resolve();
      await later;
      yield bytes.subarray(10);
    }
    const slow = store.put(nameOf(bytes), slowly(), { size: bytes.length, pins: [] });
    await begun.promise;
    await expect(put(store, sample(2, 6 * KIB), { size: 6 * KIB })).rejects.toMatchObject({ code: 'diskFull' });
    resolve();
    expect((await slow).size).toBe(6 * KIB);
  });

  test('is not asked for in vain: a blob larger than the space is refused at once', async () => {
    const store = await openStore(await tempFolder(), { capacityBytes: 10 * KIB });
    await put(store, sample(1, 6 * KIB));
    await expect(put(store, sample(2, 11 * KIB), { size: 11 * KIB })).rejects.toMatchObject({ code: 'diskFull' });
    expect(store.index.blobs).toBe(1);
  });
});
