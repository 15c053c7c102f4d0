import { spawn } from 'node:child_process';
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openLogStore } from '../../../node/storage/log-store.ts';
import { damage, damaged } from './damage.ts';
import type { LogModel, Step } from './log-model.ts';
import { EMPTY_MODEL, makeCall, steps, takeStep } from './log-model.ts';
import { NODE, OTHER, data, hardState, range, request } from './log-builders.ts';
import { newFolder, tempFolder } from './temp-folder.ts';

/** Each starts dozens of databases. */
const SLOW_MS = 180_000;

/** The vote file first: the store writes it last, so a copy never has one that is ahead of its database. */
async function crashImage(folder: string, into: string): Promise<void> {
  await rm(into, { recursive: true, force: true });
  await mkdir(into, { recursive: true });
  await cp(join(folder, 'vote'), join(into, 'vote'));
  await cp(join(folder, 'entries'), join(into, 'entries'), { recursive: true });
}

async function newestWal(folder: string): Promise<string> {
  const names = (await readdir(join(folder, 'entries'))).filter((name) => name.endsWith('.log'));
  return join(folder, 'entries', names.sort().at(-1) ?? 'none');
}

describe('a damaged write-ahead log', () => {
  test(
    'leads to an earlier state with the newest vote, or to a refusal; never to a lost vote or a mixed log',
    async () => {
      const history = fc.array(steps, { minLength: 2, maxLength: 25 });
      await fc.assert(
        fc.asyncProperty(history, fc.array(damage, { minLength: 4, maxLength: 4 }), async (list, damages) => {
          const folder = await newFolder();
          const states = await live(folder, list);
          for (const each of damages) {
            const copy = join(folder, 'copy');
            await crashImage(folder, copy);
            const wal = await newestWal(copy);
            await writeFile(wal, damaged(await readFile(wal), each));
            await judge(copy, states);
          }
          await rm(folder, { recursive: true });
        }),
        { numRuns: 25 },
      );
    },
    SLOW_MS,
  );

  test('of which only the end is cut or torn leads to the state before, when no vote was in it', async () => {
    const folder = await tempFolder();
    const list: Step[] = ['append', 'append', 'append'].map((kind) => ({ kind, count: 3, size: 20 }) as Step);
    const states = await live(folder, list);
    const wal = await newestWal(folder);
    const bytes = await readFile(wal);
    for (const torn of [bytes.subarray(0, -1), Buffer.from(bytes).fill(0, bytes.length - 20)]) {
      const copy = join(folder, 'copy');
      await crashImage(folder, copy);
      await writeFile(await newestWal(copy), torn);
      expect(await judge(copy, states)).toBe(states.length - 2);
    }
  });

  /** All states that were durable at some time, newest last. */
  async function live(folder: string, list: readonly Step[]): Promise<readonly LogModel[]> {
    const store = await openLogStore(folder);
    const states = [EMPTY_MODEL];
    for (const step of list) {
      const { call, model } = takeStep(states.at(-1)!, step);
      await makeCall(store, call);
      states.push(model);
    }
    // Closing leaves the write-ahead log as it is.
    await store.close();
    return states;
  }

  /** @returns which of the states was found, or that the store refused */
  async function judge(folder: string, states: readonly LogModel[]): Promise<number | 'refused'> {
    const newest = states.at(-1)!;
    try {
      const store = await openLogStore(folder);
      await store.close();
      const { hardState } = store.loaded;
      expect([hardState.term, hardState.vote]).toEqual([newest.hardState.term, newest.hardState.vote]);
      const found = states.findLastIndex((state) => equal(state, store.loaded));
      expect(found).not.toBe(-1);
      return found;
    } catch (error) {
      if ((error as { code?: string }).code !== 'corrupt') throw error;
      return 'refused';
    }
  }

  function equal(a: unknown, b: unknown): boolean {
    try {
      expect(a).toEqual(b);
      return true;
    } catch {
      return false;
    }
  }
});

describe('refused as corrupt, with the way back', () => {
  async function written(): Promise<string> {
    const folder = await tempFolder();
    const store = await openLogStore(folder);
    await store.persist(request({ hardState: hardState(1), entries: range(1, 10) }));
    await store.persist(request({ hardState: hardState(2, 5, OTHER) }));
    await store.close();
    return folder;
  }

  async function refusal(folder: string): Promise<string> {
    const error: unknown = await openLogStore(folder).then(
      (store) => store.close(),
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 'corrupt' });
    const { message } = error as Error;
    expect(message).toMatch(/must not vote.*join token.*new node/);
    return message;
  }

  test('a database that is older than the vote file', async () => {
    const folder = await written();
    const old = join(folder, 'old');
    await crashImage(folder, old);
    const store = await openLogStore(folder);
    await store.persist(request({ hardState: hardState(3, 5, NODE) }));
    await store.close();
    await cp(join(folder, 'vote'), join(old, 'vote'));
    expect(await refusal(old)).toContain('term 3');
  });

  test('a database that lost the vote of the same term', async () => {
    const folder = await tempFolder();
    const store = await openLogStore(folder);
    await store.persist(request({ hardState: hardState(1, 0, null) }));
    await crashImage(folder, join(folder, 'old'));
    await store.persist(request({ hardState: hardState(1, 0, NODE) }));
    await store.close();
    await cp(join(folder, 'vote'), join(folder, 'old', 'vote'));
    expect(await refusal(join(folder, 'old'))).toContain('vote');
  });

  test('a database that is gone', async () => {
    const folder = await written();
    await rm(join(folder, 'entries'), { recursive: true });
    expect(await refusal(folder)).toContain('empty');
  });

  test('a vote file that is gone', async () => {
    const folder = await written();
    await rm(join(folder, 'vote'));
    expect(await refusal(folder)).toContain('vote file is gone');
  });

  test('a vote file with any byte changed', async () => {
    const folder = await written();
    const bytes = await readFile(join(folder, 'vote'));
    for (let at = 1; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at] = flipped[at]! ^ 1;
      await writeFile(join(folder, 'vote'), flipped);
      expect(await refusal(folder)).toContain('checksum');
    }
  });

  test('a table file with changed bytes in its entries', async () => {
    const folder = await tempFolder();
    const store = await openLogStore(folder);
    await store.persist(request({ hardState: hardState(1), entries: [data(1, 1, 'find me '.repeat(50))] }));
    await store.close();
    // The next opening writes the recovered log as a table.
    await (await openLogStore(folder)).close();
    const [table] = (await readdir(join(folder, 'entries'))).filter((name) => name.endsWith('.ldb'));
    const path = join(folder, 'entries', table ?? 'none');
    const bytes = await readFile(path);
    bytes[bytes.indexOf('find me') + 100]! ^= 4;
    await writeFile(path, bytes);
    await refusal(folder);
  });
});

test('a crash between the database and the vote file is no damage: the newer vote of the database counts', async () => {
  const folder = await tempFolder();
  const store = await openLogStore(folder);
  await store.persist(request({ hardState: hardState(1, 0, NODE) }));
  const before = await readFile(join(folder, 'vote'));
  await store.persist(request({ hardState: hardState(2, 0, OTHER) }));
  await store.close();
  await writeFile(join(folder, 'vote'), before);
  await writeFile(join(folder, 'vote.0123456789ab.tmp'), 'half written');
  for (let life = 0; life < 2; life++) {
    const again = await openLogStore(folder);
    await again.close();
    expect(again.loaded.hardState).toEqual(hardState(2, 0, OTHER));
  }
  expect((await readdir(folder)).sort()).toEqual(['entries', 'vote']);
});

test(
  'an image of the folder at any moment holds everything that was durable before',
  async () => {
    const folder = await tempFolder();
    const store = await openLogStore(folder);
    let durable = 0;
    let term = 1;
    let state: 'writing' | 'done' = 'writing';
    const writer = (async () => {
      for (let first = 1; state === 'writing'; first += 3) {
        if (first % 10 === 0) term++;
        await store.persist(request({ hardState: hardState(term), entries: range(first, first + 2, term) }));
        durable = first + 2;
      }
    })();
    for (let image = 0; image < 25; image++) {
      const atLeast = { index: durable, term: durable === 0 ? 0 : term - 1 };
      const copy = join(folder, `copy-${image}`);
      await crashImage(folder, copy);
      const opened = await openLogStore(copy);
      await opened.close();
      expect(opened.loaded.entries.length).toBeGreaterThanOrEqual(atLeast.index);
      expect(opened.loaded.hardState.term).toBeGreaterThanOrEqual(atLeast.term);
    }
    state = 'done';
    await writer;
    await store.close();
  },
  SLOW_MS,
);

test(
  'kill -9 loses nothing that was told as durable',
  async () => {
    const folder = await tempFolder();
    for (let life = 0; life < 4; life++) {
      const told = await killedWriter(folder, 120);
      const store = await openLogStore(folder);
      await store.close();
      expect(store.loaded.entries.length).toBeGreaterThanOrEqual(told.index);
      expect(store.loaded.hardState.term).toBeGreaterThanOrEqual(told.term);
      expect(store.loaded.entries[told.index - 1]?.term).toBe(told.term);
    }
  },
  SLOW_MS,
);

async function killedWriter(folder: string, lines: number): Promise<{ term: number; index: number }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'log-writer.ts'), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of child.stdout) {
    output += String(chunk);
    if (output.split('\n').length > lines) child.kill('SIGKILL');
  }
  const whole = output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1) ?? '';
  const [term = 0, index = 0] = whole.split(' ').map(Number);
  return { term, index };
}
