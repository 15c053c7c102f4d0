import { describe, expect, it } from 'vitest';
import { createCluster, type Founding } from '../../node/founding.ts';
import type { PeerNetwork } from '../../node/p2p/network.ts';
import type { Replica } from '../../node/replica/replica.ts';
import type { DataFolder } from '../../node/storage/data-folder.ts';
import type { NodeId } from '../../src/ids.ts';
import type { Command } from '../../src/state/commands.ts';
import { ClusterState } from '../../src/state/state.ts';

const SELF = 'self' as NodeId;
const OTHER = 'other' as NodeId;
const FOUNDING: Founding = { kind: 'known', clusterId: 'c', clusterKey: new Uint8Array(32) };

function setUp(configuration: { voters?: NodeId[]; learners?: NodeId[] }) {
  const proposed: Command[] = [];
  const secrets = new Map<string, string>();
  let barriers = 0;
  const replica = {
    state: new ClusterState(),
    consensus: { configuration: { voters: [SELF], outgoing: [], learners: [], learnersNext: [], ...configuration } },
    barrier: async () => void (barriers += 1),
    propose: async (_by: unknown, commands: readonly Command[]) => {
      proposed.push(...commands);
      return commands.map(() => ({ ok: true as const }));
    },
  } as unknown as Replica;
  const folder = {
    readSecret: async (name: string) => secrets.get(name) ?? null,
    writeSecret: async (name: string, text: string) => void secrets.set(name, text),
  } as unknown as DataFolder;
  const network = { self: SELF, addresses: () => ['/ip4/127.0.0.1/tcp/1'] } as unknown as PeerNetwork;
  const create = () => createCluster({ folder, replica, network, founding: FOUNDING }, 'required');
  return { create, proposed, secrets, barriers: () => barriers };
}

describe('createCluster', () => {
  it('writes the first entry with the tokens that lie in the data folder', async () => {
    const { create, proposed, secrets } = setUp({});
    const created = await create();
    expect(proposed.map(({ kind }) => kind)).toEqual(['createCluster', 'createToken', 'createJoinToken']);
    expect(created?.adminToken).toBe(secrets.get('admin.token'));
    expect(created?.joinToken).toBe(secrets.get('join.token'));
  });

  it.each([
    ['voters', { voters: [SELF, OTHER] }],
    ['learners', { learners: [OTHER] }],
  ])('waits for nobody when there are other %s: the log has its first entry', async (_what, configuration) => {
    const { create, proposed, barriers } = setUp(configuration);
    expect(await create()).toBeNull();
    expect([barriers(), proposed]).toEqual([0, []]);
  });

  it('makes no cluster where this node was removed from its own', async () => {
    const { create, proposed } = setUp({ voters: [OTHER] });
    expect(await create()).toBeNull();
    expect(proposed).toEqual([]);
  });
});
