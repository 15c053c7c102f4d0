import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StateRecord } from '../../../src/state/records.ts';
import { createSnapshotInbox } from '../../../node/storage/snapshot-inbox.ts';
import { removeOtherStates, switchState } from '../../../node/storage/state-folder.ts';
import { openStateStore } from '../../../node/storage/state-store.ts';
import { collect, contents, jobId, jobRecord, nodeRecord, PARENT, sorted } from './state-builders.ts';
import { crashCopy, tempFolder } from './temp-folder.ts';

const OLD = [nodeRecord('old', '1'), jobRecord(jobId(1), 'queued')];
const NEW = [nodeRecord('new', 'x'.repeat(400_000)), jobRecord(jobId(2), 'running'), jobRecord(jobId(3), 'failed')];

async function storeWith(folder: string, records: readonly StateRecord[], applied: number) {
  const store = await openStateStore(folder);
  await store.write(records, applied);
  return store;
}

async function dumpOf(records: readonly StateRecord[], applied: number): Promise<Buffer> {
  const store = await storeWith(await tempFolder(), records, applied);
  const dump = await store.dump();
  const bytes = Buffer.concat(await collect(dump.chunks));
  await dump.close();
  await store.close();
  return bytes;
}

async function* cutInto(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function opened(folder: string) {
  const store = await openStateStore(folder);
  const found = await contents(store);
  await store.close();
  return found;
}

const OLD_STATE = { applied: 5, records: sorted(OLD) };
const NEW_STATE = { applied: 90, records: sorted(NEW) };

describe('a dump', () => {
  test('shows one moment, while writes go on', async () => {
    const folder = await tempFolder();
    const store = await storeWith(folder, NEW, 90);
    const dump = await store.dump();
    await store.write([nodeRecord('later', '1'), { table: 'job', key: jobId(2), value: null }], 91);
    await store.flush();
    expect(dump.applied).toBe(90);
    const bytes = Buffer.concat(await collect(dump.chunks));
    await dump.close();
    await store.close();
    const received = await createSnapshotInbox(folder).receive(cutInto(bytes, 10_000));
    const installed = await received.install();
    expect(await contents(installed)).toEqual(NEW_STATE);
    expect(await installed.firstToGo(9)).toMatchObject([{ id: jobId(3) }]);
    expect(await collect(installed.jobsAmong({ by: 'finalState', value: 'failed' }, null))).toHaveLength(1);
    expect(await collect(installed.jobsAmong({ by: 'parent', value: PARENT }, null))).toMatchObject([{ id: jobId(2) }]);
    await installed.close();
  });

  test('comes in chunks of a bounded size', async () => {
    const many = Array.from({ length: 3000 }, (_, at) => jobRecord(jobId(at), 'queued'));
    const store = await storeWith(await tempFolder(), many, 1);
    const dump = await store.dump();
    const sizes = (await collect(dump.chunks)).map(({ length }) => length);
    expect(sizes.length).toBeGreaterThan(4);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(256 * 1024 + 4);
    await dump.close();
    await store.close();
  });

  test('of nothing is one too', async () => {
    const folder = await tempFolder();
    const received = await createSnapshotInbox(folder).receive(cutInto(await dumpOf([], 0), 7));
    const store = await received.install();
    expect(await contents(store)).toEqual({ applied: 0, records: [] });
    await store.close();
  });
});

describe('a received snapshot', () => {
  test('replaces the state, for good', async () => {
    const folder = await tempFolder();
    const live = await storeWith(folder, OLD, 5);
    const received = await createSnapshotInbox(folder).receive(cutInto(await dumpOf(NEW, 90), 1000));
    expect(received.applied).toBe(90);
    expect(await contents(live)).toEqual(OLD_STATE);
    await live.close();
    const store = await received.install();
    expect(await contents(store)).toEqual(NEW_STATE);
    await store.write([nodeRecord('new', '2')], 91);
    await store.close();
    expect((await opened(folder)).applied).toBe(91);
    expect((await readdir(folder)).sort()).toEqual(['state-2', 'state.current']);
  });

  test('that is discarded leaves the state as it was, and room for another', async () => {
    const folder = await tempFolder();
    await (await storeWith(folder, OLD, 5)).close();
    const inbox = createSnapshotInbox(folder);
    const bytes = await dumpOf(NEW, 90);
    const received = await inbox.receive(cutInto(bytes, 1000));
    await expect(inbox.receive(cutInto(bytes, 1000))).rejects.toMatchObject({ code: 'overloaded' });
    await received.discard();
    expect(await readdir(folder)).toEqual(['state-1']);
    await (await inbox.receive(cutInto(bytes, 1000))).discard();
    expect(await opened(folder)).toEqual(OLD_STATE);
  });

  test('is refused when any part of it is cut, changed, doubled or added', async () => {
    const folder = await tempFolder();
    const inbox = createSnapshotInbox(folder);
    const bytes = await dumpOf([nodeRecord('a', '1'), jobRecord(jobId(1), 'failed')], 3);
    const place = fc.nat(bytes.length - 1);
    const broken = fc.oneof(
      place.map((at) => bytes.subarray(0, at)),
      fc.tuple(place, fc.nat(7)).map(([at, bit]) => {
        const copy = Buffer.from(bytes);
        copy[at] = copy[at]! ^ (1 << bit);
        return copy;
      }),
      fc.uint8Array({ minLength: 1, maxLength: 9 }).map((extra) => Buffer.concat([bytes, extra])),
    );
    await fc.assert(
      fc.asyncProperty(broken, fc.integer({ min: 1, max: 400 }), async (wrong, size) => {
        const error: unknown = await inbox.receive(cutInto(wrong, size)).catch((reason: unknown) => reason);
        expect(['corrupt', 'wrongVersion']).toContain((error as { code?: string }).code);
        expect(await readdir(folder)).toEqual(['state-1']);
      }),
      { numRuns: 60 },
    );
  }, 180_000);

  test('whose sender breaks off leaves nothing behind', async () => {
    const folder = await tempFolder();
    const bytes = await dumpOf(NEW, 90);
    async function* breakingOff() {
      yield bytes.subarray(0, bytes.length / 2);
      throw new Error('connection lost');
    }
    await expect(createSnapshotInbox(folder).receive(breakingOff())).rejects.toThrow('connection lost');
    expect(await readdir(folder)).toEqual(['state-1']);
  });
});

test('a crash at any step of an installation leaves the old state or the new one, whole, and no leftovers', async () => {
  const folder = await tempFolder();
  await (await storeWith(folder, OLD, 5)).close();
  const images = await tempFolder();
  const seen: [string, unknown][] = [];
  const look = async (step: string) => {
    const copy = await crashCopy(folder, join(images, step));
    seen.push([step, await opened(copy)]);
    const names = await readdir(copy);
    expect(names.filter((name) => name.startsWith('state-')).length, step).toBe(1);
    expect(
      names.filter((name) => name.endsWith('.tmp')),
      step,
    ).toEqual([]);
  };
  const bytes = await dumpOf(NEW, 90);
  async function* watched() {
    for await (const chunk of cutInto(bytes, Math.ceil(bytes.length / 3))) {
      await look(`receiving-${seen.length}`);
      yield chunk;
    }
  }
  await createSnapshotInbox(folder).receive(watched());
  await look('received');
  await writeFile(join(folder, 'state.current.0123456789ab.tmp'), 'state-2\n');
  await look('pointer-half-written');
  await switchState(folder, 'state-2');
  await look('switched');
  await mkdir(join(folder, 'state-3'));
  await removeOtherStates(folder, 'state-2');
  await look('removed');
  expect(seen).toEqual([
    ['receiving-0', OLD_STATE],
    ['receiving-1', OLD_STATE],
    ['receiving-2', OLD_STATE],
    ['received', OLD_STATE],
    ['pointer-half-written', OLD_STATE],
    ['switched', NEW_STATE],
    ['removed', NEW_STATE],
  ]);
});

describe('a crash between the change of the log and that of the state', () => {
  async function crashedFolder(): Promise<string> {
    const folder = await tempFolder();
    await (await storeWith(folder, OLD, 5)).close();
    await createSnapshotInbox(folder).receive(cutInto(await dumpOf(NEW, 90), 10_000));
    return folder;
  }

  test('goes on to the new state when the log begins behind the snapshot', async () => {
    const folder = await crashedFolder();
    await (await openStateStore(folder, 90)).close();
    expect(await opened(folder)).toEqual(NEW_STATE);
  });

  test('keeps the old state when the log was not changed yet', async () => {
    const folder = await crashedFolder();
    await (await openStateStore(folder, 3)).close();
    expect(await opened(folder)).toEqual(OLD_STATE);
  });
});

test('an installed snapshot survives the loss of all that was not synced', async () => {
  const folder = await tempFolder();
  await (await storeWith(folder, OLD, 5)).close();
  await createSnapshotInbox(folder).receive(cutInto(await dumpOf(NEW, 90), 5000));
  await switchState(folder, 'state-2');
  for (const name of await readdir(join(folder, 'state-2'))) {
    if (name.endsWith('.log')) await writeFile(join(folder, 'state-2', name), '');
  }
  expect(await opened(folder)).toEqual(NEW_STATE);
});
