import { describe, expect, it } from 'vitest';
import { Compactor, type CompactorParts } from '../../../node/replica/compactor.ts';
import type { PeerProgress } from '../../../raft/raft.ts';
import { REPLICA_LIMITS } from '../../../node/replica/limits.ts';
import { Fault } from '../../../src/errors.ts';
import type { StateStore } from '../../../node/storage/ports.ts';

const FAILURE = new Fault('diskFull', 'the disk is full');

function setUp() {
  const told: unknown[] = [];
  const peers: Partial<PeerProgress>[] = [];
  const snapshots = { underWay: null as number | null };
  const driver = {
    core: {
      firstIndex: 1,
      logBytes: 0,
      snapshotMeta: (index: number) => ({ index }),
      progress: () => peers as readonly Partial<PeerProgress>[],
    },
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
  const compactor = new Compactor(
    { driver, applier, log, snapshots, fatal } as unknown as CompactorParts,
    REPLICA_LIMITS,
  );
  return { compactor, driver, applier, peers, snapshots, told };
}

describe('Compactor', () => {
  it('cuts the log behind what is durable, but for a tail', async () => {
    const { compactor, applier, told } = setUp();
    compactor.consider();
    await compactor.settled();
    expect(told).toEqual([{ kind: 'compact', index: applier.applied - REPLICA_LIMITS.keptEntries }]);
  });

  const usual = REPLICA_LIMITS.compactEntries + 2 - REPLICA_LIMITS.keptEntries;

  it.each<[string, Partial<PeerProgress>, number | null, number | null]>([
    ['that is there lacks', { matchIndex: 700, state: 'replicate', recentActive: true }, null, 700],
    ['that is being found out about may lack', { matchIndex: 0, state: 'probe', recentActive: true }, null, null],
    ['needs behind the snapshot it fetches', { matchIndex: 0, state: 'snapshot', recentActive: true }, 900, 900],
    [
      'will not need: its snapshot has not begun',
      { matchIndex: 0, state: 'snapshot', recentActive: true },
      null,
      usual,
    ],
    ['that is away lacks, no longer', { matchIndex: 700, state: 'probe', recentActive: false }, null, usual],
  ])('keeps what a follower %s', async (_what, peer, underWay, index) => {
    const { compactor, peers, snapshots, told } = setUp();
    peers.push({ matchIndex: 20_000, state: 'replicate', recentActive: true }, peer);
    snapshots.underWay = underWay;
    compactor.consider();
    await compactor.settled();
    expect(told).toEqual(index === null ? [] : [{ kind: 'compact', index }]);
  });

  it('keeps nothing for followers once the log is too long, by count or by bytes', async () => {
    const { compactor, driver, applier, peers, told } = setUp();
    peers.push({ matchIndex: 0, state: 'probe', recentActive: true });
    applier.applied = REPLICA_LIMITS.heldEntries + 2;
    compactor.consider();
    await compactor.settled();
    driver.core.logBytes = REPLICA_LIMITS.heldBytes + 1;
    applier.applied = REPLICA_LIMITS.compactEntries;
    compactor.consider();
    await compactor.settled();
    const shorter = REPLICA_LIMITS.compactEntries - REPLICA_LIMITS.keptEntries / 10;
    expect(told).toEqual([
      { kind: 'compact', index: REPLICA_LIMITS.heldEntries + 2 - REPLICA_LIMITS.keptEntries },
      { kind: 'compact', index: shorter },
    ]);
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
