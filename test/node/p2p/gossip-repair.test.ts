import type { Connection } from '@libp2p/interface';
import { afterEach, expect, test } from 'vitest';
import { CapacityGossip } from '../../../node/p2p/capacity-gossip.ts';
import { createClusterKey } from '../../../node/p2p/cluster-key.ts';
import { Gate } from '../../../node/p2p/gate.ts';
import { createNodeKey, nodeIdOf } from '../../../node/p2p/identity.ts';
import { type Host, startHost, stopHost } from '../../../node/p2p/libp2p-host.ts';
import { withLimits } from '../../../node/p2p/limits.ts';
import { clusterProtocols } from '../../../node/p2p/protocols.ts';
import { bytes, CLUSTER_ID, eventually, pause, QUIET } from './support.ts';

const protocols = clusterProtocols(CLUSTER_ID);
const limits = withLimits({ gossipRepairMs: 100 });
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function startMember(key: Awaited<ReturnType<typeof createNodeKey>>, clusterKey: Uint8Array, members: string[]) {
  const gate = new Gate({ logger: QUIET, registry: undefined }, limits);
  gate.setMembers(new Set(members));
  const host = await startHost(
    { logger: QUIET, privateKey: key, clusterKey, protocols, gate },
    { listen: { host: '127.0.0.1', port: 0 }, announce: [], limits },
  );
  closers.unshift(() => stopHost(host));
  const connections: Connection[] = [];
  const topic = protocols.capacityTopic;
  const gossip = new CapacityGossip({ host, gate, topic, logger: QUIET, connections: () => connections }, limits);
  closers.unshift(() => gossip.close());
  return { host, gossip, connections };
}

function gossipStreams(host: Host) {
  return host
    .getConnections()
    .flatMap(({ streams }) => streams)
    .filter(({ protocol, direction }) => direction === 'outbound' && protocol.startsWith('/meshsub/'));
}

test('gossip goes on after its stream was lost while the connection stayed', async () => {
  const clusterKey = createClusterKey();
  const keys = [await createNodeKey(), await createNodeKey()] as const;
  const ids = keys.map(nodeIdOf);
  const first = await startMember(keys[0], clusterKey, ids);
  const second = await startMember(keys[1], clusterKey, ids);
  let heard = 0;
  second.gossip.onAdvert(() => (heard += 1));
  const said = async (): Promise<boolean> => {
    first.gossip.publish(bytes(String(Math.random())));
    await pause(50);
    return heard > 0;
  };

  const [address] = second.host.getMultiaddrs();
  if (address === undefined) throw new Error('it listens nowhere');
  const connection = await first.host.dial(address);
  first.connections.push(connection);
  await eventually(() => second.host.getConnections().length === 1);
  second.connections.push(...second.host.getConnections());
  await eventually(said);

  for (const stream of gossipStreams(first.host)) stream.abort(new Error('lost'));
  expect(gossipStreams(first.host)).toEqual([]);
  heard = 0;
  await eventually(said);
  expect(connection.status).toBe('open');
});
