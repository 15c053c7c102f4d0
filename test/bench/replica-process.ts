import { createPeerNetwork } from '../../node/p2p/host.ts';
import { decodeNodeKey } from '../../node/p2p/identity.ts';
import type { Replica } from '../../node/replica/replica.ts';
import { SYSTEM } from '../../src/auth.ts';
import type { NodeId } from '../../src/ids.ts';
import { DelayWatch } from './event-loop-delay.ts';
import { LOGGER, openReplica } from './open-replica.ts';
import { proposeForAWhile } from './proposing.ts';
import type { ReplicaAnswer, ReplicaOrder, ReplicaPlan } from './replica-peer.ts';

/** A replica on the network, in a process of its own, that proposes what its parent orders. */
const plan = JSON.parse(process.argv[2] ?? '') as ReplicaPlan;
const network = await createPeerNetwork(
  {
    logger: LOGGER,
    privateKey: decodeNodeKey(Buffer.from(plan.key, 'base64')),
    clusterKey: Buffer.from(plan.clusterKey, 'base64'),
    clusterId: 'bench',
  },
  { listen: { host: '127.0.0.1', port: 0 }, advertise: [] },
);
const delay = new DelayWatch();
let replica: Replica | null = null;

async function join(members: readonly (readonly [NodeId, readonly string[]])[]): Promise<Replica> {
  network.setMembers(new Map(members.filter(([id]) => id !== network.self)));
  const opened = await openReplica(
    plan.folder,
    network,
    members.map(([id]) => id),
  );
  network.handleOpen(() => opened.snapshotBytes());
  return opened;
}

async function carryOut(order: ReplicaOrder): Promise<ReplicaAnswer> {
  switch (order.kind) {
    case 'open':
      replica = await join(order.members);
      return { kind: 'done' };
    case 'leader':
      return { kind: 'leader', leader: replica?.leader ?? null };
    case 'propose': {
      if (replica === null) throw new Error('the replica is not open');
      const { clients, commands, ms } = order;
      if (replica.state.cluster === null) {
        await replica.propose(SYSTEM, [{ kind: 'createCluster', clusterId: 'bench', auth: 'required' }]);
      }
      delay.restart();
      const load = await proposeForAWhile(replica, network.self, { clients, commands, ms });
      return { kind: 'load', ...load, delayMs: delay.longestMs };
    }
  }
}

process.on('message', (order: ReplicaOrder) => {
  carryOut(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ kind: 'failed', error: String(error) }),
  );
});
process.send?.({ kind: 'up', self: network.self, addresses: network.addresses() } satisfies ReplicaAnswer);
