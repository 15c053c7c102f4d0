import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { GroupId } from '../../../src/ids.ts';
import { createGroup } from '../../../src/jobs/group.ts';
import { FINAL_STATES } from '../../../src/jobs/job.ts';
import { seal } from '../../../node/storage/sealed.ts';
import { openStateDatabase } from '../../../node/storage/state-database.ts';
import { openStateStore } from '../../../node/storage/state-store.ts';
import { collect, contents, job, jobId, jobRecord, nodeRecord } from './state-builders.ts';
import { AMONG, isAmong, jobsOf, takeChanges } from './state-model.ts';
import { crashCopy, tempFolder } from './temp-folder.ts';

const A = jobId(1);
const B = jobId(2);
const C = jobId(3);

describe('records', () => {
  test('are there after a restart together with the applied index', async () => {
    const folder = await tempFolder();
    const store = await openStateStore(folder);
    expect(store.applied).toBe(0);
    await store.write([nodeRecord('n', '1'), jobRecord(A, 'queued')], 7);
    await store.write([nodeRecord('n', '2'), { table: 'job', key: B, value: null }], 9);
    expect(store.applied).toBe(9);
    await store.close();
    const again = await openStateStore(folder);
    expect(await contents(again)).toEqual({ applied: 9, records: [jobRecord(A, 'queued'), nodeRecord('n', '2')] });
    await again.close();
  });

  test('of one group are written as they are at its end', async () => {
    const store = await openStateStore(await tempFolder());
    await Promise.all([
      store.write([jobRecord(A, 'queued', 1), jobRecord(B, 'queued', 2)], 1),
      store.write([jobRecord(A, 'running', 3)], 2),
      store.write([jobRecord(A, 'succeeded', 4), { table: 'job', key: B, value: null }], 3),
    ]);
    expect(await contents(store)).toEqual({ applied: 3, records: [jobRecord(A, 'succeeded', 4)] });
    await store.close();
  });

  test('of groups are loaded before those of jobs, whose gates stand in them', async () => {
    const store = await openStateStore(await tempFolder());
    const spec = { name: null, project: 'p', labels: {}, maxRunning: 1, onFailure: 'continue' } as const;
    const group = createGroup(jobId(9) as string as GroupId, spec, 'admin', { at: 1, index: 1 });
    await store.write([jobRecord(A, 'queued'), { table: 'group', key: group.id, value: group }], 1);
    const tables = (await collect(store.load())).flat().map(({ table }) => table);
    expect(tables).toEqual(['group', 'job']);
    await store.close();
  });

  test('that were asked for are read although they are not written yet', async () => {
    const store = await openStateStore(await tempFolder());
    await store.write([jobRecord(A, 'queued', 1), jobRecord(B, 'queued', 1)], 1);
    const writing = store.write([jobRecord(A, 'running', 2), { table: 'job', key: B, value: null }], 2);
    expect(store.applied).toBe(1);
    expect(await store.get('job', A)).toEqual(job(A, 'running', 2));
    expect(await store.get('job', B)).toBeNull();
    await writing;
    expect(await store.get('job', A)).toEqual(job(A, 'running', 2));
    expect(await store.get('job', B)).toBeNull();
    await store.close();
  });

  test('are written in the order of the calls', async () => {
    const store = await openStateStore(await tempFolder());
    const ended: number[] = [];
    const calls = Array.from({ length: 300 }, (_, at) =>
      store.write([nodeRecord('n', String(at))], at + 1).then(() => ended.push(at)),
    );
    await Promise.all(calls);
    expect(ended).toEqual(Array.from({ length: 300 }, (_, at) => at));
    expect(await store.get('node', 'n')).toMatchObject({ version: '299' });
    await store.close();
  });

  test('gather for a while, and are written when somebody looks or enough have come', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const store = await openStateStore(await tempFolder());
    void store.write([jobRecord(A, 'queued', 1)], 1);
    await store.get('job', B);
    expect(store.applied).toBe(0);
    expect(await collect(store.jobs(null))).toEqual([job(A, 'queued', 1)]);
    expect(store.applied).toBe(1);
    const many = Array.from({ length: 2048 }, (_, at) => jobRecord(jobId(at), 'queued'));
    await store.write(many, 2);
    const waiting = store.write([jobRecord(A, 'running', 3)], 3);
    vi.advanceTimersByTime(50);
    await waiting;
    expect(store.applied).toBe(3);
    void store.write([jobRecord(A, 'succeeded', 4)], 4);
    await store.close();
    expect(store.applied).toBe(4);
  });

  test('of an applied index that goes back are a bug', async () => {
    const store = await openStateStore(await tempFolder());
    await store.write([], 5);
    expect(() => store.write([], 4)).toThrow('applied index');
    await store.close();
  });
});

describe('final jobs', () => {
  test.each(FINAL_STATES)(
    'that are %s are not loaded but found, and come back when they are retried',
    async (state) => {
      const folder = await tempFolder();
      const store = await openStateStore(folder);
      await store.write([jobRecord(A, 'running', 1)], 1);
      expect((await collect(store.load())).flat()).toEqual([jobRecord(A, 'running', 1)]);
      await store.write([jobRecord(A, state, 2)], 2);
      expect((await collect(store.load())).flat()).toEqual([]);
      expect(await store.get('job', A)).toEqual(job(A, state, 2));
      expect(await collect(store.jobs(null))).toEqual([job(A, state, 2)]);
      await store.close();
      const again = await openStateStore(folder);
      expect((await collect(again.load())).flat()).toEqual([]);
      await again.write([jobRecord(A, 'queued', 3)], 3);
      expect((await collect(again.load())).flat()).toEqual([jobRecord(A, 'queued', 3)]);
      expect(await collect(again.jobs(null))).toEqual([job(A, 'queued', 3)]);
      await again.write([{ table: 'job', key: A, value: null }], 4);
      expect(await again.get('job', A)).toBeNull();
      expect(await collect(again.jobs(null))).toEqual([]);
      await again.close();
    },
  );
});

describe('final jobs by the time that they are kept', () => {
  const FIRST = [jobRecord(A, 'failed', 4), jobRecord(B, 'queued', 5), jobRecord(C, 'succeeded', 6)];

  test('come first to go first, and go with their records', async () => {
    const store = await openStateStore(await tempFolder());
    await store.write(FIRST, 6);
    expect((await store.firstToGo(9)).map(({ id, index }) => [id, index])).toEqual([
      [A, 4],
      [C, 6],
    ]);
    expect(await store.firstToGo(1)).toHaveLength(1);
    void store.write([{ table: 'job', key: A, value: job(A, 'queued', 7, 1) }], 7);
    void store.write([{ table: 'job', key: C, value: null }], 8);
    expect(await store.countFinal()).toBe(0);
    await store.write([{ table: 'job', key: A, value: job(A, 'failed', 9, 1) }], 9);
    expect(await store.firstToGo(9)).toMatchObject([{ id: A, index: 9 }]);
    await store.close();
  });

  test.each(['gone', 'of another version'])('are found again where the index is %s', async (what) => {
    const folder = await tempFolder();
    const store = await openStateStore(folder);
    await store.write(FIRST, 6);
    const kept = await store.firstToGo(9);
    await store.close();
    const database = await openStateDatabase(join(folder, 'state-1'));
    const [stale = ''] = await database.keys({ gte: '#', lt: '$' }).all();
    expect(stale).not.toBe('');
    await database.batch([
      { type: 'del', key: stale },
      { type: 'put', key: `${stale.slice(0, -1)}x`, value: new Uint8Array(0) },
    ]);
    if (what === 'gone') await database.del('!index');
    else await database.put('!index', seal(0));
    await database.close();
    const again = await openStateStore(folder);
    expect(await again.firstToGo(9)).toEqual(kept);
    await again.close();
  });
});

describe('jobs that have something in common', () => {
  test.each(AMONG)('are found by $by $value, newest first, from below an id', async (among) => {
    const store = await openStateStore(await tempFolder());
    const states = ['queued', ...FINAL_STATES] as const;
    const records = Array.from({ length: 900 }, (_, n) => jobRecord(jobId(n), states[n % states.length]!, n));
    await store.write(records, 900);
    const expected = jobsOf(takeChanges(new Map(), records)).filter((each) => isAmong(each, among));
    expect(expected.length).toBeGreaterThan(100);
    expect(await collect(store.jobsAmong(among, null))).toEqual(expected);
    const before = expected[60]!.id;
    expect(await collect(store.jobsAmong(among, before))).toEqual(expected.slice(61));
    expect(await collect(store.jobsAmong(among, '\uffff'))).toEqual(expected);
    for await (const { id } of store.jobsAmong(among, null)) if (id === before) break;
    await store.close();
  });
});

describe('the list of jobs', () => {
  test('merges live and final ones, newest id first, from below an id', async () => {
    const store = await openStateStore(await tempFolder());
    await store.write([jobRecord(A, 'failed'), jobRecord(B, 'queued'), jobRecord(C, 'succeeded')], 1);
    const ids = async (before: string | null) => (await collect(store.jobs(before))).map(({ id }) => id);
    expect(await ids(null)).toEqual([C, B, A]);
    expect(await ids(C)).toEqual([B, A]);
    expect(await ids(B)).toEqual([A]);
    expect(await ids(A)).toEqual([]);
    await store.close();
  });

  test('holds what was asked to be written before, and shows one moment', async () => {
    const store = await openStateStore(await tempFolder());
    const many = Array.from({ length: 700 }, (_, at) => jobRecord(jobId(at), at % 3 === 0 ? 'queued' : 'succeeded'));
    void store.write(many, 1);
    const seen: string[] = [];
    for await (const { id } of store.jobs(null)) {
      if (seen.length === 10) {
        await store.write(
          many.map(({ key }) => ({ table: 'job', key, value: null }) as const),
          2,
        );
      }
      seen.push(id);
    }
    expect(seen).toEqual(Array.from({ length: 700 }, (_, at) => jobId(699 - at)));
    expect(await collect(store.jobs(null))).toEqual([]);
    await store.close();
  });

  test('can be left in the middle', async () => {
    const store = await openStateStore(await tempFolder());
    await store.write(
      Array.from({ length: 500 }, (_, at) => jobRecord(jobId(at), 'queued')),
      1,
    );
    for await (const { id } of store.jobs(null)) if (id === jobId(450)) break;
    await store.close();
  });
});

test('what was flushed survives the loss of all that was not synced', async () => {
  const folder = await tempFolder();
  const store = await openStateStore(folder);
  await store.write([jobRecord(A, 'queued'), nodeRecord('n', '1')], 5);
  const unflushed = await withoutLogs(folder, join(folder, 'unflushed'));
  expect(unflushed).toEqual({ applied: 0, records: [] });
  await store.flush();
  await store.write([jobRecord(B, 'queued')], 6);
  const flushed = await withoutLogs(folder, join(folder, 'flushed'));
  expect(flushed).toEqual({ applied: 5, records: [jobRecord(A, 'queued'), nodeRecord('n', '1')] });
  await store.close();
});

/** LevelDB's write-ahead logs are the only files that are not synced. */
async function withoutLogs(folder: string, into: string) {
  await crashCopy(join(folder, 'state-1'), join(into, 'state-1'));
  for (const name of await readdir(join(into, 'state-1'))) {
    if (name.endsWith('.log')) await rm(join(into, 'state-1', name));
  }
  const store = await openStateStore(into);
  const found = await contents(store);
  await store.close();
  return found;
}

test('after close nothing is taken, and what was asked before is written', async () => {
  const folder = await tempFolder();
  const store = await openStateStore(folder);
  const asked = store.write([nodeRecord('n', '1')], 1);
  await store.close();
  await asked;
  await expect(store.write([], 2)).rejects.toMatchObject({ code: 'stopping' });
  const again = await openStateStore(folder);
  expect(again.applied).toBe(1);
  await again.close();
});

test('a state folder that is gone is told, not begun anew', async () => {
  const folder = await tempFolder();
  await (await openStateStore(folder)).close();
  await rm(join(folder, 'state-1'), { recursive: true });
  await writeFile(join(folder, 'state.current'), 'state-1\n');
  await expect(openStateStore(folder)).rejects.toMatchObject({ code: 'corrupt' });
  await writeFile(join(folder, 'state.current'), '../elsewhere\n');
  await expect(openStateStore(folder)).rejects.toMatchObject({ code: 'corrupt' });
  await rm(join(folder, 'state.current'));
  await mkdir(join(folder, 'state-2'));
  await expect(openStateStore(folder)).rejects.toMatchObject({ code: 'corrupt' });
});
