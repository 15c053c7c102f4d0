import { describe, expect, it } from 'vitest';
import type { PeerNetwork } from '../../../node/p2p/network.ts';
import type { Replica } from '../../../node/replica/replica.ts';
import type { CapacityView } from '../../../node/service/capacity.ts';
import { ClusterService } from '../../../node/service/cluster-service.ts';
import type { Identity } from '../../../src/auth.ts';
import type { NodeId } from '../../../src/ids.ts';
import type { Command } from '../../../src/state/commands.ts';
import { ClusterState } from '../../../src/state/state.ts';

const SELF = 'self' as NodeId;
const GONE = 'gone' as NodeId;
const ADMIN: Identity = { principal: { id: 'local', token: null, kind: 'local' }, scopes: ['admin'] };

function setUp() {
  const proposed: Command[] = [];
  const state = new ClusterState();
  const replica = {
    state,
    applier: { applied: 1 },
    consensus: { configuration: { voters: [SELF], outgoing: [], learners: [], learnersNext: [] } },
    barrier: async () => undefined,
    changeMembership: async () => undefined,
    propose: async (_by: unknown, commands: readonly Command[]) => {
      proposed.push(...commands);
      return commands.map(() => ({ ok: true as const }));
    },
  } as unknown as Replica;
  const network = { connected: () => [] } as unknown as PeerNetwork;
  const cluster = new ClusterService({ self: SELF, replica, network, capacity: {} as CapacityView });
  return { cluster, state, proposed };
}

describe('ClusterService', () => {
  it('ends a removal that was cut short when it is asked again', async () => {
    const { cluster, state, proposed } = setUp();
    state.nodes.set(GONE, { id: GONE, addresses: [], http: null, version: '1' });
    await cluster.remove(ADMIN, GONE);
    expect(proposed).toEqual([{ kind: 'forgetNode', node: GONE }]);
  });

  it('removes nobody whom the cluster does not know', async () => {
    const { cluster, proposed } = setUp();
    await expect(cluster.remove(ADMIN, GONE)).rejects.toMatchObject({ code: 'notFound' });
    expect(proposed).toEqual([]);
  });
});
