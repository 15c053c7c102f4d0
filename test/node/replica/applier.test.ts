import { describe, expect, it } from 'vitest';
import { Applier, type ApplierListener } from '../../../node/replica/applier.ts';
import { REPLICA_LIMITS } from '../../../node/replica/limits.ts';
import type { StateStore } from '../../../node/storage/ports.ts';
import type { SnapshotMeta } from '../../../raft/types.ts';
import { Fault } from '../../../src/errors.ts';
import { ClusterState } from '../../../src/state/state.ts';

const NOBODY = { voters: [], outgoing: [], learners: [], learnersNext: [] };

function metaAt(index: number): SnapshotMeta {
  return { index, term: 1, configuration: NOBODY };
}

class FakeStore {
  readonly applied: number;
  readonly loading = Promise.withResolvers<void>();
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

function setUp() {
  const first = new FakeStore(1);
  const applier = new Applier(
    new ClusterState(),
    first as unknown as StateStore,
    {} as ApplierListener,
    REPLICA_LIMITS,
  );
  const replace = (store: FakeStore): Promise<void> =>
    applier.replace(metaAt(store.applied), async () => store as unknown as StateStore);
  return { applier, first, replace };
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
