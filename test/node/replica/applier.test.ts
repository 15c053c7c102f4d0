import { describe, expect, it } from 'vitest';
import { Applier, type ApplierListener } from '../../../node/replica/applier.ts';
import { REPLICA_LIMITS, type ReplicaLimits } from '../../../node/replica/limits.ts';
import type { StateStore } from '../../../node/storage/ports.ts';
import type { SnapshotMeta } from '../../../raft/types.ts';
import { Fault } from '../../../src/errors.ts';
import { encodeEntry } from '../../../src/state/codec.ts';
import { ClusterState } from '../../../src/state/state.ts';

const NOBODY = { voters: [], outgoing: [], learners: [], learnersNext: [] };

function metaAt(index: number): SnapshotMeta {
  return { index, term: 1, configuration: NOBODY };
}

class FakeStore {
  readonly applied: number;
  readonly loading = Promise.withResolvers<void>();
  readonly writing = Promise.withResolvers<void>();
  isClosed = false;

  constructor(applied: number) {
    this.applied = applied;
  }

  async *load(): AsyncIterable<never> {
    await this.loading.promise;
    yield* [];
  }

  async flush(): Promise<void> {
    this.require();
  }

  async write(): Promise<void> {
    await this.writing.promise;
  }

  async close(): Promise<void> {
    this.require();
    this.isClosed = true;
  }

  require(): number {
    if (this.isClosed) throw new Fault('diskFailed', 'the database is closed');
    return this.applied;
  }
}

async function ask(store: StateStore): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve));
  return (store as unknown as FakeStore).require();
}

function setUp(limits: Partial<ReplicaLimits> = {}) {
  const first = new FakeStore(1);
  const told: number[] = [];
  const nextTurn: (() => void)[] = [];
  const applier = new Applier(
    new ClusterState(),
    first as unknown as StateStore,
    { applied: (index: number) => void told.push(index), changed: () => undefined } as unknown as ApplierListener,
    { soon: (action) => void nextTurn.push(action) },
    { ...REPLICA_LIMITS, ...limits },
  );
  const replace = (store: FakeStore): Promise<void> =>
    applier.replace(metaAt(store.applied), async () => store as unknown as StateStore);
  return { applier, first, replace, told, nextTurn };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('Applier', () => {
  it('lets readers wait for the new state while a snapshot takes the place of the old one', async () => {
    const { applier, first, replace } = setUp();
    const second = new FakeStore(2);
    const replaced = replace(second);
    await expect.poll(() => first.isClosed).toBe(true);
    const read = applier.read(ask);
    second.loading.resolve();
    await replaced;
    expect(await read).toBe(2);
  });

  it('asks the new state again for those whose database was closed under them', async () => {
    const { applier, replace } = setUp();
    const second = new FakeStore(2);
    second.loading.resolve();
    const read = applier.read(ask);
    await replace(second);
    expect(await read).toBe(2);
  });

  it('tells of the failure of a database that nothing took the place of', async () => {
    const { applier, first } = setUp();
    first.isClosed = true;
    await expect(applier.read(ask)).rejects.toMatchObject({ code: 'diskFailed' });
  });

  it('replaces the state by one snapshot after another', async () => {
    const { applier, replace } = setUp();
    const second = new FakeStore(2);
    const third = new FakeStore(3);
    const both = [replace(second), replace(third)];
    third.loading.resolve();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(second.isClosed).toBe(false);
    second.loading.resolve();
    await Promise.all(both);
    expect([applier.applied, second.isClosed]).toEqual([3, true]);
  });

  it('asks for more of what is committed only when the event loop has turned', async () => {
    const { applier, first, told, nextTurn } = setUp();
    first.writing.resolve();
    applier.apply([{ kind: 'noop', index: 2, term: 1 }]);
    await turn();
    expect([applier.applied, told]).toEqual([2, []]);
    nextTurn.shift()?.();
    expect(told).toEqual([2]);
  });

  it('asks for no more while the database lacks many bytes, however few the entries', async () => {
    const { applier, first, told, nextTurn } = setUp({ unwrittenBytes: 10 });
    applier.apply([{ kind: 'data', index: 2, term: 1, data: encodeEntry({ at: 1, proposals: [] }) }]);
    await turn();
    expect([told, nextTurn]).toEqual([[], []]);
    first.writing.resolve();
    await turn();
    expect(told).toEqual([2]);
    applier.apply([{ kind: 'noop', index: 3, term: 1 }]);
    expect(nextTurn.length).toBe(1);
  });

  it('closes the new state when it is closed while a snapshot takes the place of the old one', async () => {
    const { applier, replace } = setUp();
    const second = new FakeStore(2);
    const replaced = replace(second);
    const closed = applier.close();
    second.loading.resolve();
    await Promise.all([replaced, closed]);
    expect(second.isClosed).toBe(true);
  });
});
