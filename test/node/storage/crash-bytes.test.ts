import { isDeepStrictEqual } from 'node:util';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openLogStore } from '../../../node/storage/log-store.ts';
import type { LogStore } from '../../../node/storage/ports.ts';
import { openStateStore } from '../../../node/storage/state-store.ts';
import type { StateRecord } from '../../../src/state/records.ts';
import { configuration, data, hardState, meta, range, request } from './log-builders.ts';
import { contents, jobId, jobRecord, nodeRecord } from './state-builders.ts';
import { crashCopy, memoryFolder } from './temp-folder.ts';

/** Each of some thousand cases opens a database. */
const SLOW_MS = 300_000;
/** So many of the last records are damaged at every byte. */
const DAMAGED_RECORDS = 2;
const WAL_BLOCK_BYTES = 32 * 1024;
/** What a record of the filler takes beside its text, and some of the block that is left for the next record. */
const FILLER_OVERHEAD = 150;

type Damage = (bytes: Buffer, at: number) => Buffer;
const cut: Damage = (bytes, at) => bytes.subarray(0, at);
const flip: Damage = (bytes, at) => {
  const flipped = Buffer.from(bytes);
  flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
  return flipped;
};

/** What was durable after a step. */
interface Past {
  readonly content: unknown;
  /** Of the write-ahead log. */
  readonly bytes: number;
  readonly vote: Buffer;
}

interface Life {
  readonly folder: string;
  readonly wal: string;
  readonly past: readonly Past[];
}

async function walOf(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.log'));
  return join(folder, names.sort().at(-1) ?? 'none');
}

/** The bytes of the last records, and how many whole records stand before each. */
function* lastBytes(past: readonly Past[]): Generator<{ readonly at: number; readonly whole: number }> {
  for (let whole = past.length - DAMAGED_RECORDS; whole < past.length; whole++) {
    for (let at = past[whole - 1]?.bytes ?? 0; at < (past[whole]?.bytes ?? 0); at++) yield { at, whole };
  }
}

describe('the log', () => {
  const change = { kind: 'configuration', index: 4, term: 2, configuration: configuration('a', 'b') } as const;
  /** The last ones truncate, drop a configuration, compact and vote. */
  const STEPS: readonly ((store: LogStore) => Promise<void>)[] = [
    (store) => store.persist(request({ hardState: hardState(1), entries: range(1, 3) })),
    (store) => store.persist(request({ hardState: hardState(2, 2), truncateFrom: 3, entries: [data(3, 2), change] })),
    (store) => store.compact(meta(1)),
    (store) => store.persist(request({ truncateFrom: 4, entries: [data(4, 2, 'other')] })),
    (store) => store.persist(request({ hardState: hardState(3, 3), entries: [data(5, 3)] })),
  ];

  async function live(): Promise<Life> {
    const folder = join(await memoryFolder(), 'live');
    const store = await openLogStore(folder);
    const wal = await walOf(join(folder, 'entries'));
    const past: Past[] = [];
    for (const step of STEPS) {
      await step(store);
      const bytes = (await readFile(wal)).length;
      const vote = await readFile(join(folder, 'vote'));
      past.push({ bytes, vote, content: await read(await crashCopy(folder, `${folder}-image`)) });
    }
    await store.close();
    return { folder, wal, past };
  }

  async function read(folder: string): Promise<unknown> {
    const store = await openLogStore(folder);
    await store.close();
    return store.loaded;
  }

  /** @param vote of the vote file */
  async function after({ folder, wal }: Life, bytes: Buffer, vote: Buffer): Promise<unknown> {
    const image = await tempImage(folder, wal, bytes);
    await writeFile(join(image, 'vote'), vote);
    try {
      return await read(image);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== 'corrupt') throw error;
      return 'refused';
    } finally {
      await rm(image, { recursive: true });
    }
  }

  async function tempImage(folder: string, wal: string, bytes: Buffer): Promise<string> {
    const image = `${folder}-image`;
    await rm(image, { recursive: true, force: true });
    const copy = await crashCopy(join(folder, 'entries'), join(image, 'entries'));
    await writeFile(join(copy, wal.slice(wal.lastIndexOf('/') + 1)), bytes);
    return image;
  }

  test(
    'that a crash cut at any byte of its last record is what was durable before it',
    async () => {
      const life = await live();
      const bytes = await readFile(life.wal);
      const [before, last] = life.past.slice(-2) as [Past, Past];
      for (let at = before.bytes; at < last.bytes; at++) {
        expect(await after(life, cut(bytes, at), before.vote), `byte ${at}`).toEqual(before.content);
      }
      expect(await after(life, bytes, before.vote)).toEqual(last.content);
    },
    SLOW_MS,
  );

  test.each([
    ['cut', cut],
    ['changed', flip],
  ] as const)(
    'that is %s at any byte of its last records is one that was, with the newest vote, or is refused',
    async (_, damage) => {
      const life = await live();
      const bytes = await readFile(life.wal);
      const newest = life.past.at(-1)!;
      const found = { refused: 0, once: 0 };
      for (const { at, whole } of lastBytes(life.past)) {
        const content = await after(life, damage(bytes, at), newest.vote);
        if (content === 'refused') {
          found.refused += 1;
          continue;
        }
        found.once += 1;
        const past = life.past.slice(0, whole).find((each) => isDeepStrictEqual(each.content, content));
        expect(past, `byte ${at}: a log that never was`).toBeDefined();
        expect(past?.vote, `byte ${at}: a vote is forgotten`).toEqual(newest.vote);
      }
      expect(found.refused).toBeGreaterThan(0);
    },
    SLOW_MS,
  );

  test('whose vote file is cut or changed at any byte is refused', async () => {
    const life = await live();
    const bytes = await readFile(life.wal);
    const { vote } = life.past.at(-1)!;
    for (let at = 1; at < vote.length; at++) {
      expect(await after(life, bytes, cut(vote, at)), `cut at ${at}`).toBe('refused');
      expect(await after(life, bytes, flip(vote, at)), `byte ${at}`).toBe('refused');
    }
    expect(await after(life, bytes, cut(vote, 0))).toBe('refused');
    await expect(after(life, bytes, flip(vote, 0))).rejects.toMatchObject({ code: 'wrongVersion' });
  });
});

describe('the state', () => {
  test.each([
    ['cut', cut],
    ['changed', flip],
  ] as const)(
    'that is %s at any byte of its last records is the one before the damaged record',
    async (_, damage) => {
      const folder = join(await memoryFolder(), 'live');
      const store = await openStateStore(folder);
      const wal = await walOf(join(folder, 'state-1'));
      const steps: readonly ((bytes: number) => readonly StateRecord[])[] = [
        () => [nodeRecord('a', '1'), jobRecord(jobId(1), 'queued')],
        () => [nodeRecord('a', '2'), jobRecord(jobId(1), 'running', 2)],
        (bytes) => [nodeRecord('filler', 'x'.repeat(WAL_BLOCK_BYTES - bytes - FILLER_OVERHEAD))],
        () => [nodeRecord('b', '1')],
        () => [{ table: 'node', key: 'a', value: null }],
      ];
      const past: Past[] = [];
      for (const step of steps) {
        await store.write(step((await readFile(wal)).length), past.length + 1);
        const content = await read(await crashCopy(folder, `${folder}-image`));
        past.push({ bytes: (await readFile(wal)).length, vote: Buffer.alloc(0), content });
      }
      await store.close();
      const bytes = await readFile(wal);
      // LevelDB passes over damage up to the end of a block, and goes on with the record that begins in the next.
      expect(past.at(-3)?.bytes).toBeLessThan(WAL_BLOCK_BYTES - 7);
      expect(past.at(-2)?.bytes).toBeGreaterThan(WAL_BLOCK_BYTES);
      for (const { at, whole } of lastBytes(past)) {
        const image = await crashCopy(folder, `${folder}-image`);
        await writeFile(join(image, 'state-1', wal.slice(wal.lastIndexOf('/') + 1)), damage(bytes, at));
        expect(await read(image), `byte ${at}`).toEqual(past[whole - 1]?.content);
      }
    },
    SLOW_MS,
  );

  async function read(folder: string): Promise<unknown> {
    const store = await openStateStore(folder);
    const found = await contents(store);
    await store.close();
    return found;
  }
});
