import { writeFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { BlobIndex } from '../../../node/blobs/blob-index.ts';
import { tempFolder } from '../storage/temp-folder.ts';
import { nameOf, sample } from './support.ts';

async function open(folder: string): Promise<BlobIndex> {
  const index = await BlobIndex.open(folder);
  onTestFinished(() => index.close().catch(() => {}));
  return index;
}

const names = Array.from({ length: 6 }, (_, at) => nameOf(sample(at, 10)));
const [a, b, c] = names as [(typeof names)[0], (typeof names)[0], (typeof names)[0]];

test('rows, totals, pins and the id of the store outlive a restart', async () => {
  const folder = await tempFolder();
  const index = await open(folder);
  await index.set(a, { size: 10, lastUse: 1000 }, null);
  await index.set(b, { size: 20, lastUse: 500 }, null);
  await index.set(b, { size: 20, lastUse: 2000 }, { size: 20, lastUse: 500 });
  await index.pin(a, { owner: 'job:1', until: null });
  await index.pin(a, { owner: 'job:22', until: 77 });
  await index.pin(b, { owner: 'job:1', until: 5 });
  await index.setNote('scrub', 'here');
  await index.close();
  const again = await open(folder);
  expect(again.storeId).toBe(index.storeId);
  expect([again.blobs, again.bytes]).toEqual([2, 30]);
  expect(await again.rows([c, b, a])).toEqual([null, { size: 20, lastUse: 2000 }, { size: 10, lastUse: 1000 }]);
  expect(await again.pins(a)).toEqual([
    { owner: 'job:1', until: null },
    { owner: 'job:22', until: 77 },
  ]);
  expect((await again.ownedBy('job:1')).toSorted((x, y) => (x.hash < y.hash ? -1 : 1))).toEqual(
    [a, b].toSorted((x, y) => (x.hash < y.hash ? -1 : 1)),
  );
  expect(await again.note('scrub')).toBe('here');
});

test('tells in the order of the last use and in that of the names, from where one likes', async () => {
  const index = await open(await tempFolder());
  for (const [at, name] of names.entries()) await index.set(name, { size: at, lastUse: 10 ** (6 - at) }, null);
  expect((await index.leastUsed(2, null)).map(({ name }) => name)).toEqual([names[5], names[4]]);
  const last = (await index.leastUsed(2, null)).at(-1)!;
  expect((await index.leastUsed(10, last)).map(({ lastUse }) => lastUse)).toEqual([1000, 10_000, 100_000, 1_000_000]);
  const sorted = names.toSorted((x, y) => (x.hash < y.hash ? -1 : 1));
  expect((await index.behind(null, 10)).map(({ name }) => name)).toEqual(sorted);
  expect((await index.behind(sorted[1]!, 2)).map(({ name }) => name)).toEqual([sorted[2], sorted[3]]);
  expect((await index.within('sha256', a.hash.slice(0, 2))).map(({ name }) => name)).toContainEqual(a);
});

test('takes a blob out with its pins and its place in the order', async () => {
  const index = await open(await tempFolder());
  await index.set(a, { size: 10, lastUse: 1000 }, null);
  await index.pin(a, { owner: 'job:1', until: null });
  await index.remove(a, { size: 10, lastUse: 1000 });
  expect([index.blobs, index.bytes, await index.row(a)]).toEqual([0, 0, null]);
  expect(await index.leastUsed(10, null)).toEqual([]);
  expect([await index.pins(a), await index.ownedBy('job:1')]).toEqual([[], []]);
});

test('that cannot be read is made anew, under another id', async () => {
  const folder = await tempFolder();
  const index = await open(folder);
  await index.set(a, { size: 10, lastUse: 1000 }, null);
  await index.close();
  for (const file of await readdir(folder)) if (file.startsWith('MANIFEST')) await writeFile(join(folder, file), 'rot');
  const again = await open(folder);
  expect(again.storeId).not.toBe(index.storeId);
  expect([again.blobs, await again.row(a)]).toEqual([0, null]);
});

test('tells of 100,000 names without the disk being walked', async () => {
  const index = await open(await tempFolder());
  await index.set(a, { size: 10, lastUse: 1000 }, null);
  const many = Array.from({ length: 100_000 }, (_, at) => ({
    function: 'sha256' as const,
    hash: at.toString(16).padStart(64, '0'),
  }));
  const rows = await index.rows([...many, a]);
  expect(rows.filter((row) => row !== null)).toEqual([{ size: 10, lastUse: 1000 }]);
});
