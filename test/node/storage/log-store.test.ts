import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { PersistRequest } from '../../../raft/effects.ts';
import type { Entry } from '../../../raft/types.ts';
import { blockKey } from '../../../node/storage/log-layout.ts';
import { openDatabase } from '../../../node/storage/database.ts';
import { loadLog } from '../../../node/storage/log-load.ts';
import { createLogStore, openLogStore } from '../../../node/storage/log-store.ts';
import type { LogStore } from '../../../node/storage/ports.ts';
import { voteFileAt } from '../../../node/storage/vote-file.ts';
import { NODE, OTHER, configuration, data, hardState, meta, range, request } from './log-builders.ts';
import { tempFolder } from './temp-folder.ts';

async function reopened(folder: string): Promise<LogStore['loaded']> {
  const store = await openLogStore(folder);
  await store.close();
  return store.loaded;
}

/** Each list of requests is one life of the store. */
async function afterLives(...lives: PersistRequest[][]): Promise<LogStore['loaded']> {
  const folder = await tempFolder();
  for (const requests of lives) {
    const store = await openLogStore(folder);
    for (const each of requests) await store.persist(each);
    await store.close();
  }
  return reopened(folder);
}

function indexes(entries: readonly Entry[]): string {
  return entries.map(({ index, term }) => `${index}@${term}`).join(' ');
}

async function blockKeys(folder: string): Promise<number[]> {
  const options = { keys: 'view', compression: 'none', writeBufferBytes: 65536, cacheBytes: 0 } as const;
  const database = await openDatabase<Uint8Array>(join(folder, 'entries'), options);
  const keys = await database.keys({ gte: blockKey(0), lt: Uint8Array.of(0x66) }).all();
  await database.close();
  return keys.map((key) => Number(Buffer.from(key).readBigUInt64BE(1)));
}

describe('what was persisted is there again after a restart', () => {
  test('nothing in a new folder', async () => {
    const loaded = await afterLives([]);
    expect(loaded).toEqual({ hardState: { term: 0, vote: null, commit: 0 }, snapshot: null, entries: [] });
  });

  test('term, vote and commit', async () => {
    const lives = [[request({ hardState: hardState(3, 0) })], [request({ hardState: hardState(4, 0, OTHER) })]];
    expect((await afterLives(...lives)).hardState).toEqual({ term: 4, vote: OTHER, commit: 0 });
  });

  test('entries of each kind, over several lives', async () => {
    const first: Entry[] = [data(1), { kind: 'noop', index: 2, term: 1 }];
    const second: Entry[] = [{ kind: 'configuration', index: 3, term: 1, configuration: configuration('a', 'b') }];
    const loaded = await afterLives(
      [request({ hardState: hardState(1), entries: first })],
      [request({ entries: second }), request({ entries: [data(4)] })],
    );
    expect(loaded.entries).toEqual([...first, ...second, data(4)]);
    expect(loaded.hardState).toEqual(hardState(1));
  });

  test('an entry larger than a block', async () => {
    const large = data(2, 1, 'x'.repeat(900_000));
    const loaded = await afterLives([request({ hardState: hardState(1), entries: [data(1), large, data(3)] })]);
    expect(loaded.entries).toEqual([data(1), large, data(3)]);
  });

  test.each([
    ['the whole log', 1],
    ['at the beginning of a block', 129],
    ['inside a block', 200],
    ['inside the last block', 299],
    ['at the last entry', 300],
    ['behind the last entry', 301],
  ])('a truncation of %s, and what is appended behind it', async (_, from) => {
    const written = [request({ hardState: hardState(1), entries: range(1, 300) })];
    const truncation = [request({ hardState: hardState(2), truncateFrom: from, entries: range(from, from + 9, 2) })];
    const expected = [...range(1, from - 1), ...range(from, from + 9, 2)];
    expect((await afterLives(written, truncation)).entries).toEqual(expected);
    expect((await afterLives([...written, ...truncation])).entries).toEqual(expected);
    expect((await afterLives(written, truncation, [request({ entries: [data(from + 10, 2)] })])).entries).toEqual([
      ...expected,
      data(from + 10, 2),
    ]);
  });

  test('a truncation alone', async () => {
    const loaded = await afterLives(
      [request({ hardState: hardState(1), entries: range(1, 300) })],
      [request({ truncateFrom: 131 })],
    );
    expect(loaded.entries).toEqual(range(1, 130));
  });

  test('configurations that a truncation dropped are gone', async () => {
    const change: Entry = { kind: 'configuration', index: 2, term: 1, configuration: configuration('a') };
    const loaded = await afterLives(
      [request({ hardState: hardState(1), entries: [data(1), change] })],
      [request({ hardState: hardState(2), truncateFrom: 2, entries: [data(2, 2)] })],
    );
    expect(loaded.entries).toEqual([data(1), data(2, 2)]);
  });

  test.each([
    ['ahead of the log', 500],
    ['inside the log', 150],
  ])('a snapshot %s replaces all of it', async (_, at) => {
    const snapshot = meta(at, 2);
    const loaded = await afterLives(
      [request({ hardState: hardState(2), entries: range(1, 300) })],
      [request({ snapshot, hardState: hardState(2, at) })],
      [request({ entries: range(at + 1, at + 3, 2) })],
    );
    expect(loaded.snapshot).toEqual(snapshot);
    expect(loaded.entries).toEqual(range(at + 1, at + 3, 2));
    expect(loaded.hardState.commit).toBe(at);
  });

  test('a compaction keeps what lies behind it, also when it cuts through a block', async () => {
    const folder = await tempFolder();
    const store = await openLogStore(folder);
    await store.persist(request({ hardState: hardState(1, 290), entries: range(1, 300) }));
    await store.compact(meta(200));
    await store.compact(meta(100));
    await store.persist(request({ entries: [data(301)] }));
    await store.close();
    const loaded = await reopened(folder);
    expect(loaded.snapshot).toEqual(meta(200));
    expect(loaded.entries).toEqual(range(201, 301));
  });

  test('a truncation down to where a compaction cut through the block', async () => {
    const folder = await tempFolder();
    const store = await openLogStore(folder);
    await store.persist(request({ hardState: hardState(1, 200), entries: range(1, 300) }));
    await store.compact(meta(200));
    await store.persist(request({ truncateFrom: 201 }));
    await store.persist(request({ hardState: hardState(2, 200), entries: [data(201, 2)] }));
    await store.close();
    expect((await reopened(folder)).entries).toEqual([data(201, 2)]);
  });

  test('a compaction of everything leaves an empty log that goes on', async () => {
    const folder = await tempFolder();
    const store = await openLogStore(folder);
    await store.persist(request({ hardState: hardState(1, 300), entries: range(1, 300) }));
    await store.compact(meta(300));
    await store.close();
    expect(await reopened(folder)).toEqual({ hardState: hardState(1, 300), snapshot: meta(300), entries: [] });
    const again = await openLogStore(folder);
    await again.persist(request({ entries: [data(301)] }));
    await again.close();
    expect((await reopened(folder)).entries).toEqual([data(301)]);
  });
});

test('blocks before a compaction are removed from the disk, the rest of them after restarts', async () => {
  const folder = await tempFolder();
  const blocks = 1500;
  const last = blocks * 128;
  const store = await openLogStore(folder);
  const entries = Array.from({ length: last }, (_, at): Entry => ({ kind: 'noop', index: at + 1, term: 1 }));
  await store.persist(request({ hardState: hardState(1, last), entries }));
  await store.compact(meta(last - 10));
  await store.close();
  expect((await blockKeys(folder)).length).toBeGreaterThan(1);
  // A start ends the removal that it finds undone step by step.
  await vi.waitFor(async () => {
    const again = await openLogStore(folder);
    await again.persist(request({ hardState: hardState(again.loaded.hardState.term + 1, last) }));
    await again.close();
    expect(await blockKeys(folder)).toEqual([last - 127]);
  });
  expect((await reopened(folder)).entries.length).toBe(10);
});

test('a block ends at 128 entries or at 256 KiB, but holds an entry that is larger', async () => {
  const folder = await tempFolder();
  const store = await openLogStore(folder);
  const sized = (index: number, kilobytes: number) => data(index, 1, 'x'.repeat(kilobytes * 1024));
  const entries = [...range(1, 130), sized(131, 100), sized(132, 100), sized(133, 100), sized(134, 900), data(135)];
  await store.persist(request({ hardState: hardState(1), entries }));
  await store.close();
  expect(await blockKeys(folder)).toEqual([1, 129, 133, 134, 135]);
});

test('each batch is synced, and is one batch', async () => {
  const folder = await tempFolder();
  await (await openLogStore(folder)).close();
  const options = { keys: 'view', compression: 'none', writeBufferBytes: 65536, cacheBytes: 0 } as const;
  const database = await openDatabase<Uint8Array>(join(folder, 'entries'), options);
  const written: unknown[] = [];
  const batch = database.batch.bind(database) as (operations: never, options: unknown) => Promise<void>;
  const watched = Object.assign(database, {
    batch(operations: never, how: unknown) {
      written.push(how);
      return batch(operations, how);
    },
  });
  const voteFile = voteFileAt(join(folder, 'vote'));
  const store = createLogStore(
    { database: watched, voteFile, log: await loadLog(database, await voteFile.read()) },
    { groupBytes: 1_000_000 },
  );
  await store.persist(request({ hardState: hardState(1), entries: range(1, 300) }));
  await store.persist(request({ hardState: hardState(2), truncateFrom: 140, entries: range(140, 141, 2) }));
  await store.persist(request({ snapshot: meta(400, 2), hardState: hardState(2, 400) }));
  expect(written.slice(0, 3)).toEqual([{ sync: true }, { sync: true }, { sync: true }]);
  await store.close();
});

describe('group commit', () => {
  test('calls made while a sync is under way share the next one, and end in their order', async () => {
    const folder = await tempFolder();
    const store = await openLogStore(folder);
    const syncs: { entries: number; bytes: number }[] = [];
    store.onSync((sync) => syncs.push(sync));
    const ended: number[] = [];
    await Promise.all(
      range(1, 400).map((entry) =>
        store.persist(request({ hardState: hardState(1), entries: [entry] })).then(() => ended.push(entry.index)),
      ),
    );
    expect(syncs.length).toBeLessThan(10);
    expect(syncs.reduce((sum, { entries }) => sum + entries, 0)).toBe(400);
    expect(ended).toEqual(range(1, 400).map(({ index }) => index));
    await store.close();
    expect((await reopened(folder)).entries).toEqual(range(1, 400));
  });

  test('a truncation cancels what an earlier call of the same group appended, and reaches what is on disk', async () => {
    const folder = await tempFolder();
    const store = await openLogStore(folder);
    await store.persist(request({ hardState: hardState(1), entries: range(1, 10) }));
    await Promise.all([
      store.persist(request({ entries: range(11, 20) })),
      store.persist(request({ hardState: hardState(2), truncateFrom: 15, entries: range(15, 16, 2) })),
      store.persist(request({ hardState: hardState(3), truncateFrom: 8, entries: range(8, 9, 3) })),
      store.persist(request({ truncateFrom: 9, entries: range(9, 12, 3) })),
    ]);
    await store.close();
    const loaded = await reopened(folder);
    expect(indexes(loaded.entries)).toBe('1@1 2@1 3@1 4@1 5@1 6@1 7@1 8@3 9@3 10@3 11@3 12@3');
    expect(loaded.hardState.term).toBe(3);
  });

  test('a snapshot cancels what came before it in the group and not what comes behind', async () => {
    const folder = await tempFolder();
    const store = await openLogStore(folder);
    await Promise.all([
      store.persist(request({ hardState: hardState(1), entries: range(1, 10) })),
      store.persist(request({ snapshot: meta(50), hardState: hardState(1, 50) })),
      store.persist(request({ entries: range(51, 55) })),
      store.compact(meta(52)),
      store.persist(request({ entries: range(56, 57) })),
    ]);
    await store.close();
    const loaded = await reopened(folder);
    expect(loaded.snapshot).toEqual(meta(52));
    expect(indexes(loaded.entries)).toBe('53@1 54@1 55@1 56@1 57@1');
  });

  test('a group ends at a number of bytes', async () => {
    const store = await openLogStore(await tempFolder(), { groupBytes: 10_000 });
    let syncs = 0;
    store.onSync(() => syncs++);
    const calls = Array.from({ length: 20 }, (_, at) => data(at + 1, 1, 'x'.repeat(4000)));
    await Promise.all(calls.map((entry) => store.persist(request({ hardState: hardState(1), entries: [entry] }))));
    expect(syncs).toBe(10);
    await store.close();
  });

  test('a request that changes nothing costs no sync but waits for those before it', async () => {
    const store = await openLogStore(await tempFolder());
    let syncs = 0;
    store.onSync(() => syncs++);
    await store.persist(request({ hardState: hardState(1), entries: [data(1)] }));
    await store.persist(request({ hardState: hardState(1) }));
    expect(syncs).toBe(1);
    await store.close();
  });
});

describe('broken invariants end the store', () => {
  test.each([
    ['a gap', request({ entries: [data(7, 1)] }), 'without gaps'],
    ['entries over others without a truncation', request({ entries: [data(3, 1)] }), 'without gaps'],
    ['a truncation of what is committed', request({ truncateFrom: 2 }), 'committed'],
    ['a commit of what is not there', request({ hardState: hardState(1, 9) }), 'committed'],
    ['a term that goes back', request({ hardState: hardState(0, 2) }), 'term'],
    ['a second vote in a term', request({ hardState: hardState(1, 2, OTHER) }), 'vote'],
    ['an entry of a later term', request({ entries: [data(6, 2)] }), 'term'],
  ])('%s', async (_, bad, message) => {
    const folder = await tempFolder();
    const store = await openLogStore(folder);
    await store.persist(request({ hardState: hardState(1, 2), entries: range(1, 5) }));
    await expect(store.persist(bad)).rejects.toThrow(message);
    await expect(store.persist(request({ entries: [data(6)] }))).rejects.toThrow();
    await store.close();
    expect((await reopened(folder)).entries).toEqual(range(1, 5));
  });
});

test('what waits behind a call that fails is rejected too', async () => {
  const store = await openLogStore(await tempFolder(), { groupBytes: 1 });
  const calls = [
    store.persist(request({ hardState: hardState(1), entries: [data(1)] })),
    store.persist(request({ entries: [data(7)] })),
    store.persist(request({ entries: [data(2)] })),
    store.compact(meta(1)),
  ];
  const outcomes = await Promise.allSettled(calls);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected']);
  await store.close();
});

test('after close nothing is taken, and what was asked before is on disk', async () => {
  const folder = await tempFolder();
  const store = await openLogStore(folder);
  const asked = store.persist(request({ hardState: hardState(1), entries: [data(1)] }));
  await store.close();
  await asked;
  await expect(store.persist(request({ entries: [data(2)] }))).rejects.toMatchObject({ code: 'stopping' });
  expect((await reopened(folder)).entries).toEqual([data(1)]);
});

test('a second opening of the same log is refused', async () => {
  const folder = await tempFolder();
  const store = await openLogStore(folder);
  await expect(openLogStore(folder)).rejects.toMatchObject({ code: 'conflict' });
  await store.close();
});

test('term and vote alone are written to the second file, not every append', async () => {
  const folder = await tempFolder();
  const store = await openLogStore(folder);
  const voteFile = async () => (await readdir(folder, { withFileTypes: true })).filter((file) => file.isFile());
  await store.persist(request({ hardState: hardState(1, 0, NODE) }));
  expect((await voteFile()).map(({ name }) => name)).toEqual(['vote']);
  const inode = async () => (await stat(join(folder, 'vote'))).ino;
  const before = await inode();
  await store.persist(request({ hardState: hardState(1, 1), entries: range(1, 1) }));
  expect(await inode()).toBe(before);
  await store.persist(request({ hardState: hardState(2, 1) }));
  expect(await inode()).not.toBe(before);
  await store.close();
});
