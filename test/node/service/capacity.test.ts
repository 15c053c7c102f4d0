import { describe, expect, it } from 'vitest';
import type { PeerNetwork } from '../../../node/p2p/network.ts';
import { CapacityView } from '../../../node/service/capacity.ts';
import { encodeVersioned } from '../../../node/versioned.ts';
import type { NodeId } from '../../../src/ids.ts';

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
  const advert = encodeVersioned({ session: 's', sequence: 1, load1: 2, memoryFree: 3, diskFree: 4, heap: 0.5 });
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
});
