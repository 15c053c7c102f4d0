import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Entry } from '../../../raft/types.ts';
import { openDatabase } from '../../../node/storage/database.ts';
import { openLogStore } from '../../../node/storage/log-store.ts';
import type { LogStore } from '../../../node/storage/ports.ts';
import { configuration, data, hardState, meta, range, request } from './log-builders.ts';
import { crashCopy, tempFolder } from './temp-folder.ts';

type Rows = ReadonlyMap<string, Buffer>;

const OPTIONS = { keys: 'view', compression: 'none', writeBufferBytes: 1024 * 1024, cacheBytes: 0 } as const;

async function rowsOf(folder: string): Promise<Rows> {
  const database = await openDatabase<Uint8Array>(join(folder, 'entries'), OPTIONS);
  const rows = await database.iterator().all();
  await database.close();
  return new Map(rows.map(([key, value]) => [Buffer.from(key).toString('hex'), Buffer.from(value)]));
}

async function setRow(folder: string, key: string, value: Buffer | null): Promise<void> {
  const database = await openDatabase<Uint8Array>(join(folder, 'entries'), OPTIONS);
  const bytes = Buffer.from(key, 'hex');
  await (value === null ? database.del(bytes) : database.put(bytes, value));
  await database.close();
}

const change: Entry = { kind: 'configuration', index: 12, term: 1, configuration: configuration('a', 'b') };
const otherChange: Entry = { kind: 'configuration', index: 12, term: 2, configuration: configuration('c') };

/** Compactions and truncations through and between blocks; each step leaves rows that a later one replaces. */
const HISTORY: ((store: LogStore) => Promise<void>)[] = [
  (store) => store.persist(request({ hardState: hardState(1), entries: range(1, 5) })),
  (store) => store.persist(request({ entries: range(6, 11) })),
  (store) => store.persist(request({ entries: [change, data(13)] })),
  (store) => store.persist(request({ hardState: hardState(1, 8) })),
  (store) => store.compact(meta(3)),
  (store) => store.persist(request({ hardState: hardState(2, 8), truncateFrom: 12, entries: [otherChange] })),
  (store) => store.persist(request({ entries: range(13, 14, 2) })),
  (store) => store.persist(request({ hardState: hardState(3, 8), truncateFrom: 10, entries: range(10, 11, 3) })),
  (store) => store.persist(request({ entries: [{ ...otherChange, term: 3 }, data(13, 3)] })),
  (store) => store.compact(meta(7)),
  (store) => store.persist(request({ entries: range(14, 15, 3) })),
  // The last block again, over the same indexes and behind the same block.
  (store) => store.persist(request({ hardState: hardState(4, 8), truncateFrom: 14, entries: range(14, 15, 4) })),
];

test('no record of the database can go, come back or be an older one without a refusal', async () => {
  const folder = await tempFolder();
  const versions: Rows[] = [];
  for (const step of HISTORY) {
    const store = await openLogStore(folder);
    await step(store);
    await store.close();
    versions.push(await rowsOf(folder));
  }
  const now = versions.at(-1)!;
  const images = await tempFolder();
  let tried = 0;
  for (const key of new Set(versions.flatMap((rows) => [...rows.keys()]))) {
    const older = new Map(versions.map((rows) => [rows.get(key)?.toString('hex'), rows.get(key) ?? null]));
    for (const value of new Set([...older.values(), null])) {
      if (same(value, now.get(key) ?? null) || isGarbage(key, now)) continue;
      const copy = await crashCopy(folder, join(images, String(tried++)));
      await setRow(copy, key, value);
      await expect(openLogStore(copy), `${key} = ${value?.toString()}`).rejects.toMatchObject({ code: 'corrupt' });
      await rm(copy, { recursive: true });
    }
  }
  expect(tried).toBeGreaterThan(20);
}, 180_000);

function same(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}

/** Blocks that lie before the log may be there or not. */
function isGarbage(key: string, now: Rows): boolean {
  const first = [...now.keys()].filter((each) => each.startsWith('65')).sort()[0] ?? '';
  return key.startsWith('65') && key < first;
}
