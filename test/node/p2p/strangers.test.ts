import type { Connection, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import { createClusterKey } from '../../../node/p2p/cluster-key.ts';
import { Gate } from '../../../node/p2p/gate.ts';
import { createNodeKey } from '../../../node/p2p/identity.ts';
import { type Host, startHost, stopHost } from '../../../node/p2p/libp2p-host.ts';
import { NETWORK_LIMITS } from '../../../node/p2p/limits.ts';
import type { PeerNetwork } from '../../../node/p2p/network.ts';
import { clusterProtocols } from '../../../node/p2p/protocols.ts';
import { RPC_TYPES } from '../../../node/p2p/rpc-frames.ts';
import { Rejection } from '../../../src/errors.ts';
import {
  bytes,
  CLUSTER_ID,
  connected,
  eventually,
  failureOf,
  introduce,
  membersOf,
  pause,
  QUIET,
  TestCluster,
  text,
} from './support.ts';

const cluster = new TestCluster();
const intruders = new Set<Host>();
const protocols = clusterProtocols(CLUSTER_ID);

afterEach(async () => {
  await Promise.all([...intruders].map(stopHost));
  intruders.clear();
  await cluster.close();
});

/** libp2p with the cluster's key and no membership, which asks for whatever it likes. */
async function startIntruder(clusterKey = cluster.key): Promise<Host> {
  const gate = new Gate({ logger: QUIET, registry: undefined }, NETWORK_LIMITS);
  gate.connectionGater = () => ({});
  const host = await startHost(
    { logger: QUIET, privateKey: await createNodeKey(), clusterKey, protocols, gate },
    { listen: { host: '127.0.0.1', port: 0 }, announce: [], limits: NETWORK_LIMITS },
  );
  intruders.add(host);
  return host;
}

function addressOf(network: PeerNetwork): string {
  const [address] = network.addresses();
  if (address === undefined) throw new Error('it listens nowhere');
  return address;
}

async function dial(host: Host, network: PeerNetwork): Promise<Connection> {
  return await host.dial(multiaddr(addressOf(network)));
}

/** Everything sent and received until the other end resets, or nothing for a while. */
async function speak(stream: Stream, frame: Uint8Array): Promise<'reset' | 'answered' | 'silence'> {
  return await new Promise((resolve) => {
    stream.addEventListener('close', () => resolve('reset'));
    stream.addEventListener('message', () => resolve('answered'));
    if (stream.status === 'open') stream.send(frame);
    else resolve('reset');
    setTimeout(() => resolve('silence'), 3000);
  });
}

function ping(): Uint8Array {
  return Buffer.from([0, 0, 0, 5, RPC_TYPES.ping, 0, 0, 0, 1]);
}

describe('a node that holds the key and is no member', () => {
  test.each([
    ['raft', protocols.raft],
    ['control', protocols.channels.control],
    ['dispatch', protocols.channels.dispatch],
    ['the streams of logs and snapshots', protocols.bytes],
    ['the DHT', protocols.kad],
    ['gossip', '/meshsub/1.1.0'],
    ['ping', '/ipfs/ping/1.0.0'],
  ])('is refused %s, and it is counted', async (_what, protocol) => {
    const registry = new Registry();
    const member = await cluster.start({ registry });
    const reached: string[] = [];
    member.onRaft(() => reached.push('raft'));
    member.handle('control', async (_from, body) => body);
    member.handle('dispatch', async (_from, body) => body);
    member.handleOpen(async function* () {
      reached.push('open');
      yield bytes('x');
    });
    const connection = await dial(await startIntruder(), member);
    const outcome = await connection.newStream(protocol).then(
      (stream) => speak(stream, ping()),
      () => 'reset',
    );
    expect(outcome).toBe('reset');
    expect(reached).toEqual([]);
    expect(await registry.metrics()).toMatch(/quorate_p2p_refused_total\{what="stream"\} [1-9]/);
  });

  test('may ask to join, and hears the answer', async () => {
    const member = await cluster.start();
    const stranger = await cluster.start();
    member.onJoin(async (from, body) => bytes(`${text(body)}, ${from}`));
    expect(text(await stranger.join(member.addresses(), bytes('welcome')))).toBe(`welcome, ${stranger.self}`);
  });

  test('is not heard in gossip', async () => {
    const [first, second] = await cluster.mesh(2);
    if (first === undefined || second === undefined) throw new Error('two were asked for');
    const heard = new Set<string>();
    first.onCapacity((from) => heard.add(from));
    const intruder = await startIntruder();
    intruder.services.pubsub.subscribe(protocols.capacityTopic);
    await dial(intruder, first);
    await eventually(async () => {
      await intruder.services.pubsub.publish(protocols.capacityTopic, bytes('lies'));
      second.publishCapacity(bytes('truth'));
      await pause(50);
      return heard.has(second.self);
    });
    await pause(300);
    expect([...heard]).toEqual([second.self]);
  });

  test('loses its connection after a while', async () => {
    const member = await cluster.start({ limits: { strangerGraceMs: 200 } });
    const connection = await dial(await startIntruder(), member);
    expect(connection.status).toBe('open');
    await eventually(() => connection.status !== 'open');
  });

  test('keeps its connection when it becomes a member in time', async () => {
    const limits = { strangerGraceMs: 400 };
    const [member, stranger] = [await cluster.start({ limits }), await cluster.start({ limits })];
    member.onJoin(async () => bytes('yes'));
    await stranger.join(member.addresses(), bytes('please'));
    introduce([member, stranger]);
    await connected([member, stranger]);
    const events: string[] = [];
    member.onConnectivity((_peer, state) => events.push(state));
    await pause(800);
    expect(events).toEqual([]);
    expect(member.connected()).toEqual([stranger.self]);
  });

  test('beyond the number that is allowed gets no connection', async () => {
    const registry = new Registry();
    const member = await cluster.start({ registry, limits: { maxStrangers: 1 } });
    const first = await dial(await startIntruder(), member);
    expect(first.status).toBe('open');
    const second = await dial(await startIntruder(), member).catch(() => null);
    if (second !== null) await eventually(() => second.status !== 'open');
    expect(first.status).toBe('open');
    expect(await registry.metrics()).toMatch(/quorate_p2p_refused_total\{what="connection"\} 1/);
  });
});

describe('a member that is removed', () => {
  test('is disconnected at once and refused from then on', async () => {
    const [first, second, third] = await cluster.mesh(3);
    if (first === undefined || second === undefined || third === undefined) throw new Error('three were asked for');
    first.handle('control', async (_from, body) => body);
    const got: string[] = [];
    first.onRaft((from) => got.push(from));
    const events: string[] = [];
    first.onConnectivity((peer, state) => events.push(`${state} ${peer}`));
    expect(text(await third.request(first.self, 'control', bytes('x'), { timeoutMs: 5000 }))).toBe('x');

    first.setMembers(membersOf([first, second]));
    expect(events).toEqual([`down ${third.self}`]);
    expect(first.connected()).toEqual([second.self]);
    await eventually(() => !third.connected().includes(first.self));
    third.sendRaft(first.self, bytes('still here'));
    expect(await failureOf(third.request(first.self, 'control', bytes('x'), { timeoutMs: 2000 }))).toMatchObject({
      code: 'peerUnreachable',
    });
    await pause(500);
    expect(third.connected()).toEqual([second.self]);
    expect(got).toEqual([]);

    introduce([first, second, third]);
    await connected([first, second, third]);
    expect(text(await third.request(first.self, 'control', bytes('back'), { timeoutMs: 5000 }))).toBe('back');
  });
});

describe('asking to join', () => {
  test('is refused with the words of the member, and no other is asked', async () => {
    const [first, second, stranger] = [await cluster.start(), await cluster.start(), await cluster.start()];
    let asked = 0;
    first.onJoin(async () => {
      asked += 1;
      throw new Rejection('tokenUsedUp', 'the token is used up');
    });
    second.onJoin(async () => {
      asked += 1;
      return bytes('yes');
    });
    const failure = await failureOf(stranger.join([...first.addresses(), ...second.addresses()], bytes('x')));
    expect(failure).toMatchObject({ name: 'Rejection', code: 'tokenUsedUp', message: 'the token is used up' });
    expect(asked).toBe(1);
  });

  test('goes on to the next address where nobody listens or nobody can answer now', async () => {
    const [gone, starting, member, stranger] = [
      await cluster.start(),
      await cluster.start(),
      await cluster.start(),
      await cluster.start(),
    ];
    const nobody = addressOf(gone);
    await gone.close();
    member.onJoin(async () => bytes('yes'));
    expect(text(await stranger.join([nobody, addressOf(starting), addressOf(member)], bytes('x')))).toBe('yes');
  });

  test('may be given HOST:PORT alone', async () => {
    const [member, stranger] = [await cluster.start(), await cluster.start()];
    member.onJoin(async () => bytes('yes'));
    const port = addressOf(member).split('/')[4];
    expect(text(await stranger.join([`127.0.0.1:${port}`], bytes('x')))).toBe('yes');
  });

  test('tells an address where nobody listens', async () => {
    const [gone, stranger] = [await cluster.start(), await cluster.start()];
    const nobody = addressOf(gone);
    await gone.close();
    const failure = await failureOf(stranger.join([nobody], bytes('x')));
    expect(failure).toMatchObject({ name: 'Fault', code: 'peerUnreachable' });
    expect(String(failure)).toContain('nobody listens there');
  });

  test('tells a wrong cluster key', async () => {
    const member = await cluster.start();
    const stranger = await cluster.start({ clusterKey: createClusterKey(), limits: { addressDialTimeoutMs: 1500 } });
    let asked = 0;
    member.onJoin(async () => {
      asked += 1;
      return bytes('yes');
    });
    for (let again = 0; again < 5; again += 1) {
      const failure = await failureOf(stranger.join(member.addresses(), bytes('x')));
      expect(failure).toMatchObject({ code: 'peerUnreachable' });
      expect(String(failure)).toContain('the cluster key does not match');
    }
    expect(asked).toBe(0);
  });

  test('tells another cluster under the same key', async () => {
    const member = await cluster.start();
    const stranger = await cluster.start({ clusterId: 'another' });
    member.onJoin(async () => bytes('yes'));
    expect(await failureOf(stranger.join(member.addresses(), bytes('x')))).toMatchObject({
      name: 'Rejection',
      code: 'wrongCluster',
    });
  });

  test('tells another node at the address', async () => {
    const [member, other, stranger] = [await cluster.start(), await cluster.start(), await cluster.start()];
    const address = addressOf(member).replace(member.self, other.self);
    expect(String(await failureOf(stranger.join([address], bytes('x'))))).toContain('another node');
  });

  test('refuses what is no address', async () => {
    const stranger = await cluster.start();
    expect(await failureOf(stranger.join(['not an address'], bytes('x')))).toMatchObject({ code: 'invalidRequest' });
  });
});
