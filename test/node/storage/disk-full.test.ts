import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmdirSync } from 'node:fs';
import { readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { openLocalStore } from '../../../node/blobs/open-local-store.ts';
import { blobName } from '../../../src/cas/digest.ts';
import { openDataFolder } from '../../../node/storage/data-folder.ts';
import { openLogStore } from '../../../node/storage/log-store.ts';
import { openStateStore } from '../../../node/storage/state-store.ts';
import { data, hardState, range, request } from './log-builders.ts';
import { contents, nodeRecord } from './state-builders.ts';

const MEGABYTES = 8;
const disk = mount();
const folder = disk === null ? '' : `/proc/self/fd/${disk}`;

/**
 * A disk of its own, so that it can be filled; that needs root. It is reached through an open descriptor only, so that
 * it goes with the process, however that ends.
 */
function mount(): number | null {
  const at = mkdtempSync(join(tmpdir(), 'quorate-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${MEGABYTES}m`, 'tmpfs', at], { stdio: 'pipe' });
    const descriptor = openSync(at, 'r');
    execFileSync('umount', ['--lazy', at], { stdio: 'pipe' });
    return descriptor;
  } catch (error) {
    console.log(`tests of a full disk are skipped: ${String(error)}`);
    return null;
  } finally {
    rmdirSync(at);
  }
}

afterAll(() => {
  if (disk !== null) closeSync(disk);
});

function sha256Of(bytes: Uint8Array) {
  return blobName('sha256', createHash('sha256').update(bytes).digest('hex'));
}

describe.skipIf(disk === null)('on a full disk', () => {
  beforeEach(async () => {
    for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
  });

  async function fill(): Promise<void> {
    const { bavail, bsize } = await statfs(folder);
    await writeFile(join(folder, 'filler'), Buffer.alloc(bavail * bsize));
  }

  test('the log fails for good with a code, and has what was durable once there is room', async () => {
    const path = join(folder, 'log');
    const store = await openLogStore(path);
    await store.persist(request({ hardState: hardState(1), entries: range(1, 3) }));
    await fill();
    const large = 'x'.repeat(100_000);
    const calls = [4, 5, 6].map((index) => store.persist(request({ entries: [data(index, 1, large)] })));
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'diskFull' } });
    }
    await rm(join(folder, 'filler'));
    await expect(store.persist(request({ entries: [data(4)] }))).rejects.toMatchObject({ code: 'diskFull' });
    await store.close();
    const again = await openLogStore(path);
    expect(again.loaded.entries.slice(0, 3)).toEqual(range(1, 3));
    expect(again.loaded.entries.length).toBeLessThanOrEqual(6);
    await again.persist(request({ truncateFrom: 4, hardState: hardState(2), entries: [data(4, 2)] }));
    await again.close();
  });

  test('the vote is refused when only its second file cannot be written', async () => {
    const path = join(folder, 'log');
    const store = await openLogStore(path);
    await store.persist(request({ hardState: hardState(1), entries: range(1, 3) }));
    await fill();
    const outcome = store.persist(request({ hardState: hardState(2) }));
    await expect(outcome).rejects.toMatchObject({ code: 'diskFull' });
    await store.close();
    await rm(join(folder, 'filler'));
    const again = await openLogStore(path);
    expect([1, 2]).toContain(again.loaded.hardState.term);
    await again.close();
  });

  test('the state fails for good with a code, and is one that was written once there is room', async () => {
    const path = join(folder, 'state');
    const store = await openStateStore(path);
    await store.write([nodeRecord('n', '1')], 1);
    await fill();
    let written = 1;
    const failing = async () => {
      for (; written < 1000; written++) await store.write([nodeRecord('n', 'x'.repeat(50_000))], written + 1);
    };
    await expect(failing()).rejects.toMatchObject({ code: 'diskFull' });
    await expect(store.write([], 2000)).rejects.toMatchObject({ code: 'diskFull' });
    await expect(store.flush()).rejects.toMatchObject({ code: 'diskFull' });
    await store.close();
    await rm(join(folder, 'filler'));
    const again = await openStateStore(path);
    expect((await contents(again)).applied).toBe(written);
    await again.close();
  });

  test('a flush tells that it failed', async () => {
    const store = await openStateStore(join(folder, 'state'));
    await store.write([nodeRecord('n', 'x'.repeat(1_000_000))], 1);
    await fill();
    await expect(store.flush()).rejects.toMatchObject({ code: 'diskFull' });
    await store.close();
  });

  test('a blob is refused and nothing is left of it', async () => {
    const store = await openLocalStore(join(folder, 'blobs'), { capacityBytes: 1024 ** 3 });
    const bytes = Buffer.alloc(1024 * 1024, 7);
    const name = sha256Of(bytes);
    const unknown = { size: null, pins: [] };
    async function* chunks(times: number) {
      for (let at = 0; at < times; at++) yield bytes;
    }
    await expect(store.put(name, chunks(MEGABYTES + 1), unknown)).rejects.toMatchObject({ code: 'diskFull' });
    expect(await readdir(join(folder, 'blobs', 'incoming'))).toEqual([]);
    expect((await store.put(name, chunks(1), unknown)).size).toBe(bytes.length);
    // To the last byte, as others fill it: what is announced is refused, and what the index cannot write is told too.
    await fill();
    const other = sha256Of(Buffer.alloc(1000, 8));
    async function* few() {
      yield Buffer.alloc(1000, 8);
    }
    await expect(store.put(other, few(), { size: 1000, pins: [] })).rejects.toMatchObject({ code: 'diskFull' });
    expect((await store.open(name, { start: 0, end: 10 })).size).toBe(bytes.length);
    await rm(join(folder, 'filler'));
    expect((await store.put(other, few(), { size: 1000, pins: [] })).existed).toBe(false);
    await store.close();
  });

  test('the data folder tells it with a code', async () => {
    const path = join(folder, 'data');
    const open = await openDataFolder(path);
    await fill();
    await expect(open.writeSecret('admin.token', 'x'.repeat(100_000))).rejects.toMatchObject({ code: 'diskFull' });
    expect(await open.readSecret('admin.token')).toBeNull();
    await open.close();
  });
});
