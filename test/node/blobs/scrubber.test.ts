import { truncate, writeFile } from 'node:fs/promises';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { BLOB_LIMITS, type BlobLimits } from '../../../node/blobs/limits.ts';
import type { LocalStore } from '../../../node/blobs/local-store.ts';
import { Scrubber } from '../../../node/blobs/scrubber.ts';
import { tempFolder } from '../storage/temp-folder.ts';
import { filesIn, nameOf, openStore, put, sample } from './support.ts';

const KIB = 1024;
const FAST = { scrubBytesPerSecond: 1e12, scrubPauseMs: 1, scrubEveryMs: 1_000_000 };

function start(store: LocalStore, now: () => number, limits: Partial<BlobLimits> = FAST): Scrubber {
  const scrubber = new Scrubber(
    { store, disk: store.disk, logger: pino({ level: 'silent' }), now },
    { ...BLOB_LIMITS, ...limits },
  );
  const running = scrubber.run();
  onTestFinished(async () => {
    scrubber.stop();
    await running;
  });
  return scrubber;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2));
}

test('bytes that changed, and some that are gone, are found and set aside; the rest stays', async () => {
  const folder = await tempFolder();
  const store = await openStore(folder);
  const blobs = Array.from({ length: 100 }, (_, at) => sample(at, 2 * KIB));
  for (const bytes of blobs) await put(store, bytes);
  const lost: string[] = [];
  store.setHooks({ mayGo: async () => [], onLost: ({ hash }) => lost.push(hash) });
  const wrong = Buffer.from(blobs[10]!);
  wrong[1999]! ^= 0x10;
  await writeFile(store.layout.pathOf(nameOf(blobs[10]!)), wrong);
  await truncate(store.layout.pathOf(nameOf(blobs[20]!)), 100);
  start(store, () => 10_000_000);
  await until(() => lost.length === 2);
  expect(new Set(lost)).toEqual(new Set([nameOf(blobs[10]!).hash, nameOf(blobs[20]!).hash]));
  expect([store.damaged, store.index.blobs]).toEqual([2, 98]);
  expect(await filesIn(folder)).toHaveLength(100);
});

test('a round is not begun again before its time, and goes on behind a restart', async () => {
  const store = await openStore(await tempFolder());
  let now = 10_000_000;
  for (let at = 0; at < 10; at += 1) await put(store, sample(at, KIB));
  const first = start(store, () => now);
  await until(async () => first.scrubbedBytes === 10 * KIB && (await store.index.note('scrub')) === `${now} `);
  first.stop();
  const second = start(store, () => now);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(second.scrubbedBytes).toBe(0);
  now += FAST.scrubEveryMs;
  await until(() => second.scrubbedBytes === 10 * KIB);
});

test('reads no faster than it may', async () => {
  const store = await openStore(await tempFolder());
  await put(store, sample(1, 600 * KIB));
  const since = performance.now();
  const scrubber = start(store, () => 10_000_000, { ...FAST, scrubBytesPerSecond: 1024 * KIB });
  await until(() => scrubber.scrubbedBytes === 600 * KIB);
  // Two pauses of a quarter second each lie between the first bytes and the last.
  expect(performance.now() - since).toBeGreaterThan(490);
});
