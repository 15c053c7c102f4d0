import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { FolderCheck } from '../../../node/blobs/folder-check.ts';
import { BLOB_LIMITS } from '../../../node/blobs/limits.ts';
import type { LocalStore } from '../../../node/blobs/local-store.ts';
import { tempFolder } from '../storage/temp-folder.ts';
import { filesIn, nameOf, openStore, put, read, sample } from './support.ts';

const logger = pino({ level: 'silent' });
const blobs = Array.from({ length: 20 }, (_, at) => sample(at, 100 + at));

async function check(store: LocalStore): Promise<void> {
  await new FolderCheck({ store, disk: store.disk, logger }, { ...BLOB_LIMITS, checkedFiles: 2 }).run();
}

test('what the index has lost is found: at once when it is asked for, and all by the check', async () => {
  const folder = await tempFolder();
  const before = await openStore(folder);
  for (const bytes of blobs) await put(before, bytes);
  await before.close();
  await rm(join(folder, 'index'), { recursive: true });
  const store = await openStore(folder);
  expect(store.index.blobs).toBe(0);
  expect(await store.stat(nameOf(blobs[3]!))).toEqual({ size: 103 });
  expect(await store.sizes([nameOf(blobs[4]!), nameOf(Buffer.from('none'))])).toEqual([104, null]);
  expect((await put(store, blobs[5]!)).existed).toBe(true);
  await check(store);
  expect(store.index.blobs).toBe(blobs.length);
  expect(store.index.bytes).toBe(blobs.reduce((sum, bytes) => sum + bytes.length, 0));
});

test('what the folders have lost is no longer told, and whoever mends hears of it', async () => {
  const store = await openStore(await tempFolder());
  for (const bytes of blobs) await put(store, bytes);
  const lost: string[] = [];
  store.setHooks({ mayGo: async () => [], onLost: ({ hash }) => lost.push(hash) });
  await rm(store.layout.pathOf(nameOf(blobs[7]!)));
  await check(store);
  expect(lost).toEqual([nameOf(blobs[7]!).hash]);
  expect(await store.stat(nameOf(blobs[7]!))).toBeNull();
  expect(store.index.blobs).toBe(blobs.length - 1);
});

test('files that are no blobs are left alone', async () => {
  const folder = await tempFolder();
  const store = await openStore(folder);
  const shard = join(folder, 'sha256', '00');
  await mkdir(shard, { recursive: true });
  await writeFile(join(shard, 'notes'), 'mine');
  await writeFile(join(shard, 'f'.repeat(64)), 'in the wrong folder');
  await check(store);
  expect(store.index.blobs).toBe(0);
  expect((await filesIn(folder)).length).toBe(2);
});

test('blobs of the folders of before are moved', async () => {
  const folder = await tempFolder();
  const { hash } = nameOf(blobs[0]!);
  const old = join(folder, hash.slice(0, 2), hash.slice(2, 4));
  await mkdir(old, { recursive: true });
  await writeFile(join(old, hash), blobs[0]!);
  const store = await openStore(folder);
  await check(store);
  expect((await read(store, nameOf(blobs[0]!))).equals(blobs[0]!)).toBe(true);
  expect(await filesIn(folder)).toEqual([hash]);
});
