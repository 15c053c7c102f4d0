import { describe, expect, it, vi } from 'vitest';
import type { PeerNetwork } from '../../../node/p2p/network.ts';
import { CapacityView } from '../../../node/service/capacity.ts';
import { encodeVersioned } from '../../../node/versioned.ts';
import type { NodeId } from '../../../src/ids.ts';
import { amounts, I1, register, TestReplica } from '../../src/builders.ts';

const MEMBER = 'member' as NodeId;
const STRANGER = 'stranger' as NodeId;

function setUp() {
  let hear: (from: NodeId, bytes: Uint8Array) => void = () => {};
  const network = {
    onCapacity(handler: typeof hear) {
      hear = handler;
    },
    publishCapacity: () => undefined,
  } as unknown as PeerNetwork;
  const isMember = (node: NodeId): boolean => node === MEMBER;
  const view = new CapacityView({ network, self: 'self' as NodeId, isMember }, { dataDir: '/' });
  view.start();
  view.stop();
  const advert = encodeVersioned({
    session: 's',
    sequence: 1,
    load1: 2,
    memoryFree: 3,
    diskFree: 4,
    heap: 0.5,
    processors: 4,
  });
  return { view, hear: (from: NodeId) => hear(from, advert) };
}

describe('what machines tell of their load', () => {
  it('is believed of members, and of nobody else', () => {
    const { view, hear } = setUp();
    hear(MEMBER);
    hear(STRANGER);
    expect(view.loadOf(MEMBER)).toEqual({ load1: 2, memoryFree: 3, diskFree: 4 });
    expect(view.loadOf(STRANGER)).toBe(null);
  });

  it('is forgotten with a member that was removed', () => {
    const { view, hear } = setUp();
    hear(MEMBER);
    view.changed([{ kind: 'node', id: MEMBER, node: null }]);
    expect(view.loadOf(MEMBER)).toBe(null);
  });

  it('tells how full the heaps are, its own as it is now', () => {
    const { view, hear } = setUp();
    hear(MEMBER);
    hear(STRANGER);
    expect([...view.heaps()]).toEqual([
      { node: 'self', share: expect.any(Number) },
      { node: MEMBER, share: 0.5 },
    ]);
  });

  it('tells how much less a runner has free than the state says, until that is half a minute old', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const { view, hear } = setUp();
      const cluster = TestReplica.founded();
      cluster.system(register(MEMBER, I1, amounts({ memoryBytes: 0 })));
      expect(view.loadBeyondJobs(cluster.state, MEMBER)).toBe(0);
      hear(MEMBER);
      // Two of four processors are taken, and the state knows of no job.
      expect(view.loadBeyondJobs(cluster.state, MEMBER)).toBe(0.25);
      vi.advanceTimersByTime(30_000);
      expect(view.loadBeyondJobs(cluster.state, MEMBER)).toBe(0.25);
      vi.advanceTimersByTime(1);
      expect(view.loadBeyondJobs(cluster.state, MEMBER)).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
