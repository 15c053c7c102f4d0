import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../../node/storage/database.ts';
import { trimToPrefix } from '../../../node/storage/wal-prefix.ts';
import { newFolder, tempFolder } from './temp-folder.ts';

/** The bytes that LevelDB appends to its write-ahead log for each of four writes; they fill several blocks. */
async function fourRecords(): Promise<readonly Buffer[]> {
  const folder = await newFolder();
  const options = { keys: 'utf8', compression: 'none', writeBufferBytes: 1024 * 1024, cacheBytes: 0 } as const;
  const database = await openDatabase<string>(folder, options);
  const [name = 'none'] = (await readdir(folder)).filter((file) => file.endsWith('.log'));
  const sizes = [0];
  for (const length of [5, 100, 70_000, 10]) {
    await database.batch([
      { type: 'put', key: `key-${length}`, value: Buffer.alloc(length, 1) },
      { type: 'del', key: 'nothing' },
    ]);
    sizes.push((await readFile(join(folder, name))).length);
  }
  await database.close();
  const bytes = await readFile(join(folder, name));
  await rm(folder, { recursive: true });
  return sizes.slice(1).map((end, at) => bytes.subarray(sizes[at], end));
}

/** What is left of logs that consist of the given parts. */
async function trimmed(...logs: (readonly Buffer[])[]): Promise<Record<string, number>> {
  const folder = await tempFolder();
  for (const [at, parts] of logs.entries()) {
    await writeFile(join(folder, `${String(at * 99 + 7).padStart(6, '0')}.log`), Buffer.concat(parts));
  }
  await trimToPrefix(folder);
  const left: Record<string, number> = {};
  for (const name of await readdir(folder)) left[name] = (await readFile(join(folder, name))).length;
  return left;
}

let records: readonly Buffer[];
let one: Buffer;
let two: Buffer;
let three: Buffer;
let four: Buffer;

beforeAll(async () => {
  records = await fourRecords();
  [one, two, three, four] = records as [Buffer, Buffer, Buffer, Buffer];
});

describe('a write-ahead log', () => {
  test('that is sound stays as it is', async () => {
    expect(await trimmed(records)).toEqual({ '000007.log': Buffer.concat(records).length });
    expect(await trimmed([one, two], [])).toEqual({ '000007.log': one.length + two.length, '000106.log': 0 });
    expect(await trimmed([one], [two])).toEqual({ '000007.log': one.length, '000106.log': two.length });
    expect(await trimmed([one])).toEqual({ '000007.log': one.length });
    expect(await trimmed([])).toEqual({ '000007.log': 0 });
    expect(await trimmed()).toEqual({});
  });

  test('is cut before the record that is cut short, at any byte', async () => {
    for (let bytes = 1; bytes < two.length; bytes++) {
      expect(await trimmed([one, two.subarray(0, bytes)])).toEqual({ '000007.log': one.length });
    }
    expect(await trimmed([one, two, three.subarray(0, 69_000)])).toEqual({ '000007.log': one.length + two.length });
  });

  test('is cut before the record that is damaged in any byte, also when sound ones follow', async () => {
    for (let at = 0; at < two.length; at++) {
      const flipped = Buffer.from(two);
      flipped[at]! ^= 0x20;
      expect(await trimmed([one, flipped, three, four]), `byte ${at}`).toEqual({ '000007.log': one.length });
    }
    const hole = Buffer.from(three).fill(0, 40_000, 50_000);
    expect(await trimmed([one, two, hole, four])).toEqual({ '000007.log': one.length + two.length });
  });

  test('is cut where a record is missing', async () => {
    expect(await trimmed([one, three])).toEqual({ '000007.log': one.length });
  });

  test('that lost its end takes the newer ones with it', async () => {
    expect(await trimmed([one, two.subarray(0, 20)], [three], [four])).toEqual({ '000007.log': one.length });
    expect(await trimmed([one], [three])).toEqual({ '000007.log': one.length, '000106.log': 0 });
    expect(await trimmed([], [two])).toEqual({ '000007.log': 0 });
  });
});

test('a folder that is not there, or holds other files, is left alone', async () => {
  const folder = await tempFolder();
  await trimToPrefix(join(folder, 'nowhere'));
  await mkdir(join(folder, '000001.log.d'));
  await writeFile(join(folder, 'LOG'), 'text');
  await trimToPrefix(folder);
  expect((await readdir(folder)).sort()).toEqual(['000001.log.d', 'LOG']);
});
