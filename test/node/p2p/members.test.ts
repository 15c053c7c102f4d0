import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import { Fault, Rejection } from '../../../src/errors.ts';
import type { NodeId } from '../../../src/ids.ts';
import { createNodeKey } from '../../../node/p2p/identity.ts';
import { bytes, connected, eventually, failureOf, introduce, membersOf, pause, TestCluster, text } from './support.ts';

const cluster = new TestCluster();
afterEach(() => cluster.close());

async function pair(limits = {}) {
  const [first, second] = await cluster.mesh(2, { limits });
  if (first === undefined || second === undefined) throw new Error('two were asked for');
  return { first, second };
}

describe('a member that is up as a node of another cluster', () => {
  test('is told, and is told no more once it is back', async () => {
    const key = await createNodeKey();
    const first = await cluster.start();
    const other = await cluster.start({ key, clusterId: 'recovered' });
    first.setMembers(membersOf([other]));
    await eventually(() => first.foreign().includes(other.self));
    expect(first.connected()).toEqual([]);
    await other.close();
    const same = await cluster.start({ key });
    introduce([first, same]);
    await connected([first, same]);
    expect(first.foreign()).toEqual([]);
  });
});

describe('two members', () => {
  test('tell each other once that they are up, and down when one closes', async () => {
    const [first, second] = [await cluster.start(), await cluster.start()];
    const events: string[] = [];
    first.onConnectivity((peer, state) => events.push(`${state} ${peer}`));
    introduce([first, second]);
    await connected([first, second]);
    await pause(200);
    expect(events).toEqual([`up ${second.self}`]);
    await second.close();
    await eventually(() => events.length > 1);
    expect(events).toEqual([`up ${second.self}`, `down ${second.self}`]);
    expect(first.connected()).toEqual([]);
  });

  test('answer requests as soon as one is told that the other is up', async () => {
    const [first, second] = [await cluster.start(), await cluster.start()];
    second.handle('control', async (from, body) => bytes(`${text(body)} from ${from}`));
    const answer = new Promise<Uint8Array>((resolve, reject) => {
      first.onConnectivity(
        (peer) => void first.request(peer, 'control', bytes('hello'), { timeoutMs: 5000 }).then(resolve, reject),
      );
    });
    introduce([first, second]);
    expect(text(await answer)).toBe(`hello from ${first.self}`);
  });

  test('get raft frames in the order in which they were sent', async () => {
    const { first, second } = await pair();
    const got: number[] = [];
    second.onRaft((from, frame) => {
      expect(from).toBe(first.self);
      got.push(Buffer.from(frame).readUInt32BE());
    });
    const count = 3000;
    for (let number = 0; number < count; number += 1) {
      const frame = Buffer.alloc(4 + ((number * 37) % 5000));
      frame.writeUInt32BE(number);
      expect(first.sendRaft(second.self, frame)).toBe('sent');
      if (number % 100 === 0) await pause(0);
    }
    await eventually(() => got.length === count);
    expect(got).toEqual(Array.from({ length: count }, (_, number) => number));
  });

  test('get a raft frame of many megabytes whole', async () => {
    const { first, second } = await pair();
    const frame = Buffer.alloc(9_000_000, 'quorate');
    const got = new Promise<Uint8Array>((resolve) => second.onRaft((_from, received) => resolve(received)));
    expect(first.sendRaft(second.self, frame)).toBe('sent');
    expect(Buffer.compare(await got, frame)).toBe(0);
  });

  test('drop raft frames that are too large or do not fit the buffer, and count them', async () => {
    const { first, second } = await pair({ raftFrameBytes: 1000, raftBufferBytes: 3000 });
    let got = 0;
    second.onRaft(() => (got += 1));
    expect(first.sendRaft(second.self, new Uint8Array(1001))).toBe('dropped');
    const outcomes = Array.from({ length: 5 }, () => first.sendRaft(second.self, new Uint8Array(900)));
    expect(outcomes).toEqual(['sent', 'sent', 'sent', 'dropped', 'dropped']);
    expect(first.stats().framesDropped).toBe(3);
    await eventually(() => got === 3);
    expect(first.sendRaft(second.self, new Uint8Array(900))).toBe('sent');
  });

  test('drop raft frames to whom they have no stream', async () => {
    const { first } = await pair();
    expect(first.sendRaft('nobody' as NodeId, new Uint8Array(1))).toBe('dropped');
  });

  test('answer many requests at once, each with its own answer, on both channels', async () => {
    const { first, second } = await pair();
    for (const channel of ['control', 'dispatch'] as const) {
      second.handle(channel, async (_from, body) => {
        if (body.length % 3 === 0) await pause(body.length % 7);
        return Buffer.concat([bytes(channel), body]);
      });
    }
    const asked = Array.from({ length: 4000 }, async (_, number) => {
      const channel = number % 2 === 0 ? 'control' : 'dispatch';
      const body = Buffer.alloc(4 + (number % 500));
      body.writeUInt32BE(number);
      const answer = await first.request(second.self, channel, body, { timeoutMs: 20_000 });
      expect(Buffer.compare(answer, Buffer.concat([bytes(channel), body]))).toBe(0);
    });
    await Promise.all(asked);
  });

  test("get the handler's Rejection and Fault with code, words and details", async () => {
    const { first, second } = await pair();
    const errors = [
      new Rejection('queueFull', 'no room', { field: 'queue', limit: { name: 'liveJobs', value: 3 } }),
      new Fault('noLeader', 'nobody leads'),
      new Error('a secret of the inside'),
    ];
    second.handle('control', async (_from, body) => {
      throw errors[body[0] ?? 0] ?? new Error('not one of them');
    });
    const failures = await Promise.all(
      errors.map((_, number) =>
        failureOf(first.request(second.self, 'control', Buffer.from([number]), { timeoutMs: 5000 })),
      ),
    );
    expect(failures[0]).toBeInstanceOf(Rejection);
    expect(failures[0]).toMatchObject({
      code: 'queueFull',
      message: 'no room',
      details: { field: 'queue', limit: { value: 3 } },
    });
    expect(failures[1]).toBeInstanceOf(Fault);
    expect(failures[1]).toMatchObject({ code: 'noLeader', message: 'nobody leads' });
    expect(failures[2]).toMatchObject({ code: 'peerUnreachable' });
    expect(String(failures[2])).not.toContain('secret');
  });

  test('time a request out, and do not mind the answer that comes late', async () => {
    const { first, second } = await pair();
    const late = Promise.withResolvers<Uint8Array>();
    second.handle('control', (_from, body) => (body.length === 1 ? late.promise : Promise.resolve(body)));
    expect(await failureOf(first.request(second.self, 'control', bytes('x'), { timeoutMs: 50 }))).toMatchObject({
      code: 'timedOut',
    });
    late.resolve(bytes('late'));
    expect(text(await first.request(second.self, 'control', bytes('next'), { timeoutMs: 5000 }))).toBe('next');
  });

  test('refuse more requests at once than are allowed', async () => {
    const { first, second } = await pair({ rpcInflight: 3 });
    second.handle('control', () => new Promise(() => {}));
    const ask = () => first.request(second.self, 'control', bytes('x'), { timeoutMs: 300 });
    const failures = await Promise.all(Array.from({ length: 5 }, () => failureOf(ask())));
    expect(failures.map((failure) => (failure as Fault).code).sort()).toEqual([
      'overloaded',
      'overloaded',
      'timedOut',
      'timedOut',
      'timedOut',
    ]);
  });

  test('answer with overloaded when more is asked than they handle at once', async () => {
    const [first, second] = [await cluster.start(), await cluster.start({ limits: { rpcInflight: 2 } })];
    introduce([first, second]);
    await connected([first, second]);
    second.handle('control', () => new Promise(() => {}));
    const failures: unknown[] = [];
    for (let number = 0; number < 4; number += 1) {
      const asked = first.request(second.self, 'control', bytes('x'), { timeoutMs: 60_000 });
      void failureOf(asked).then((failure) => failures.push(failure));
    }
    await eventually(() => failures.length === 2);
    for (const failure of failures) expect(failure).toMatchObject({ name: 'Fault', code: 'overloaded' });
  });

  test('fail what was under way when the other goes, as peerUnreachable', async () => {
    const { first, second } = await pair();
    second.handle('control', () => new Promise(() => {}));
    const failures = Array.from({ length: 10 }, () =>
      failureOf(first.request(second.self, 'control', bytes('x'), { timeoutMs: 20_000 })),
    );
    await pause(50);
    await second.close();
    for (const failure of await Promise.all(failures)) expect(failure).toMatchObject({ code: 'peerUnreachable' });
    expect(await failureOf(first.request(second.self, 'control', bytes('x'), { timeoutMs: 1000 }))).toMatchObject({
      code: 'peerUnreachable',
    });
  });

  test('keep the first handler of a channel', async () => {
    const { first, second } = await pair();
    second.handle('control', async () => bytes('first'));
    second.handle('control', async () => bytes('second'));
    expect(text(await first.request(second.self, 'control', bytes('x'), { timeoutMs: 5000 }))).toBe('first');
  });

  test('count in their stats and metrics', async () => {
    const registry = new Registry();
    const [first, second] = [await cluster.start({ registry }), await cluster.start()];
    introduce([first, second]);
    await connected([first, second]);
    second.handle('control', async (_from, body) => body);
    await first.request(second.self, 'control', new Uint8Array(1000), { timeoutMs: 5000 });
    expect(first.stats()).toMatchObject({ members: 1, connected: 1, framesDropped: 0 });
    expect(first.stats().bytesSent).toBeGreaterThan(1000);
    expect(first.stats().bytesReceived).toBeGreaterThan(1000);
    const metrics = await registry.metrics();
    expect(metrics).toMatch(/quorate_p2p_connected_members 1/);
    expect(metrics).toMatch(/quorate_p2p_request_seconds_count\{channel="control"\} 1/);
    expect(metrics).toMatch(/quorate_p2p_sent_bytes_total \d{4}/);
    expect(metrics).toMatch(/quorate_p2p_connectivity_changes_total\{state="up"\} 1/);
  });
});

describe('a network of one', () => {
  test('leaves itself out of its members', async () => {
    const alone = await cluster.start();
    alone.setMembers(membersOf([alone]));
    expect(alone.stats()).toMatchObject({ members: 0, connected: 0 });
  });

  test('tells the port that it was given, with its id', async () => {
    const alone = await cluster.start();
    expect(alone.addresses()).toHaveLength(1);
    expect(alone.addresses()[0]).toMatch(new RegExp(`^/ip4/127\\.0\\.0\\.1/tcp/[1-9]\\d+/p2p/${alone.self}$`));
  });

  test('tells what it is configured to, and nothing else', async () => {
    const alone = await cluster.start({ advertise: ['node1.example:7001', '/ip4/10.1.1.1/tcp/7002'] });
    expect(alone.addresses()).toEqual([
      `/dns/node1.example/tcp/7001/p2p/${alone.self}`,
      `/ip4/10.1.1.1/tcp/7002/p2p/${alone.self}`,
    ]);
  });

  test('says so when its port is taken', async () => {
    const alone = await cluster.start();
    const port = Number(alone.addresses()[0]?.split('/')[4]);
    expect(await failureOf(cluster.start({ port }))).toMatchObject({ name: 'Rejection', code: 'conflict' });
  });
});

describe('three members', () => {
  test('all hear what one gossips, with its author', async () => {
    const networks = await cluster.mesh(3);
    const heard = new Set<string>();
    for (const network of networks) {
      network.onCapacity((from, advert) => heard.add(`${network.self} heard ${text(advert)} of ${from}`));
    }
    const round = (): void =>
      networks.forEach((network) => network.publishCapacity(bytes(`advert ${Math.random() < 2}`)));
    await eventually(async () => {
      round();
      await pause(50);
      return heard.size === 6;
    });
    for (const [network, other] of networks.flatMap((one) => networks.map((two) => [one, two] as const))) {
      if (network !== other) expect(heard).toContain(`${network.self} heard advert true of ${other.self}`);
    }
  });
});
