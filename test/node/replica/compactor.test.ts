import { describe, expect, it } from 'vitest';
import { Compactor, type CompactorParts } from '../../../node/replica/compactor.ts';
import { REPLICA_LIMITS } from '../../../node/replica/limits.ts';
import { Fault } from '../../../src/errors.ts';
import type { StateStore } from '../../../node/storage/ports.ts';

const FAILURE = new Fault('diskFull', 'the disk is full');

function setUp() {
  const told: unknown[] = [];
  const driver = {
    core: { firstIndex: 1, logBytes: 0, snapshotMeta: (index: number) => ({ index }) },
    restoring: null as number | null,
    step: (input: unknown) => void told.push(input),
  };
  const applier = {
    applied: REPLICA_LIMITS.compactEntries + 2,
    store: {} as StateStore,
    flush: async (): Promise<number> => applier.applied,
  };
  const log = { compact: async () => undefined };
  const fatal = (error: unknown): void => void told.push(error);
  const compactor = new Compactor({ driver, applier, log, fatal } as unknown as CompactorParts, REPLICA_LIMITS);
  return { compactor, driver, applier, told };
}

describe('Compactor', () => {
  it('cuts the log behind what is durable, but for a tail', async () => {
    const { compactor, applier, told } = setUp();
    compactor.consider();
    await compactor.settled();
    expect(told).toEqual([{ kind: 'compact', index: applier.applied - REPLICA_LIMITS.keptEntries }]);
  });

  it('tells of a failure instead of rejecting into the void', async () => {
    const { compactor, applier, told } = setUp();
    applier.flush = () => Promise.reject(FAILURE);
    compactor.consider();
    await compactor.settled();
    expect(told).toEqual([FAILURE]);
  });

  it.each(['being replaced', 'replaced'])('gives up when the state is %s by a snapshot', async (when) => {
    const { compactor, driver, applier, told } = setUp();
    applier.flush = () => {
      if (when === 'replaced') applier.store = {} as StateStore;
      else driver.restoring = 9;
      return Promise.reject(new Fault('stopping', 'the state is closed'));
    };
    compactor.consider();
    await compactor.settled();
    expect(told).toEqual([]);
  });
});
