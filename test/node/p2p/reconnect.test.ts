import { afterEach, describe, expect, test } from 'vitest';
import { createNodeKey, nodeIdOf } from '../../../node/p2p/identity.ts';
import type { PeerNetwork } from '../../../node/p2p/network.ts';
import { PeerProcess } from './peer-process.ts';
import { bytes, connected, eventually, introduce, membersOf, pause, TestCluster, text } from './support.ts';

const cluster = new TestCluster();
const processes = new Set<PeerProcess>();
afterEach(async () => {
  await Promise.all([...processes].map((peer) => peer.kill()));
  processes.clear();
  await cluster.close();
});

/** This process's network and a member in another process, both up. */
async function withProcess(limits = {}) {
  const here = await cluster.start({ limits });
  const key = await createNodeKey();
  const there = await PeerProcess.start(key, cluster.key, membersOf([here]));
  processes.add(there);
  const events: string[] = [];
  here.onConnectivity((_peer, state) => events.push(state));
  here.setMembers(new Map([[nodeIdOf(key), there.addresses]]));
  await eventually(() => events.length > 0);
  return { here, there, key, id: nodeIdOf(key), events };
}

async function echo(network: PeerNetwork, to: Parameters<PeerNetwork['request']>[0]): Promise<string> {
  return text(await network.request(to, 'control', bytes('hello'), { timeoutMs: 10_000 }));
}

describe('a member in another process', () => {
  test('ends by itself once its network is closed: nothing holds the process', async () => {
    const { there, events } = await withProcess();
    expect(await there.stop()).toBe(0);
    await eventually(() => events.length === 2);
    expect(events).toEqual(['up', 'down']);
  });

  test('that is frozen is down after a few missed pings, and up again when it goes on', async () => {
    const { here, there, id, events } = await withProcess({ pingIntervalMs: 100, missedPings: 3 });
    there.freeze();
    await eventually(() => events.at(-1) === 'down');
    expect(here.sendRaft(id, bytes('x'))).toBe('dropped');
    await pause(500);
    expect(here.connected()).toEqual([]);
    there.thaw();
    await eventually(() => here.connected().includes(id));
    expect(await echo(here, id)).toBe('hello');
  });

  test('that is killed and starts at another port finds the others again by itself', async () => {
    const { here, there, key, id, events } = await withProcess();
    await there.kill();
    await eventually(() => events.length === 2);
    const again = await PeerProcess.start(key, cluster.key, membersOf([here]));
    processes.add(again);
    expect(again.addresses).not.toEqual(there.addresses);
    await eventually(() => here.connected().includes(id));
    expect(await echo(here, id)).toBe('hello');
  });
});

describe('a member that moved', () => {
  test('is found through the others by one that it does not know how to reach', async () => {
    const key = await createNodeKey();
    const [first, third] = [
      await cluster.start(),
      await cluster.start({ limits: { redialMaxMs: 300, lookupIntervalMs: 300 } }),
    ];
    const before = await cluster.start({ key });
    const stale = before.addresses();
    await before.close();
    const moved = await cluster.start({ key });
    // It knows an address of the first alone, so the third has to find it.
    moved.setMembers(
      new Map([
        [first.self, first.addresses()],
        [third.self, []],
      ]),
    );
    first.setMembers(membersOf([third, moved]));
    third.setMembers(
      new Map([
        [first.self, first.addresses()],
        [moved.self, stale],
      ]),
    );
    await eventually(() => third.connected().includes(moved.self));
    await connected([first, third, moved]);
  });

  test('is dialled at its new address when the membership tells it', async () => {
    const [first, second] = [await cluster.start(), await cluster.start()];
    first.setMembers(new Map([[second.self, ['/ip4/127.0.0.1/tcp/1']]]));
    second.setMembers(new Map([[first.self, []]]));
    await pause(200);
    expect(first.connected()).toEqual([]);
    first.setMembers(membersOf([second]));
    await connected([first, second]);
  });
});

describe('members that lose their connection again and again', () => {
  test('come back each time, tell up and down in turn, and leave no socket and no timer behind', async () => {
    const key = await createNodeKey();
    const limits = { redialMinMs: 5, redialMaxMs: 20 };
    const here = await cluster.start({ limits });
    const events: string[] = [];
    here.onConnectivity((_peer, state) => events.push(state));
    const rounds = 200;
    const before = handles();
    for (let round = 0; round < rounds; round += 1) {
      const there = await cluster.start({ key, limits });
      there.handle('control', async (_from, body) => body);
      introduce([here, there]);
      await connected([here, there]);
      if (round % 20 === 0) expect(await echo(here, there.self)).toBe('hello');
      await there.close();
      await eventually(() => here.connected().length === 0);
    }
    expect(events).toEqual(Array.from({ length: rounds * 2 }, (_, number) => (number % 2 === 0 ? 'up' : 'down')));
    // libp2p's own timers of the last second run out first.
    await eventually(() => handles() <= before);
  }, 120_000);
});

/** What would hold this process. */
function handles(): number {
  const kinds = ['TCPSocketWrap', 'TCPServerWrap', 'Timeout'];
  return process.getActiveResourcesInfo().filter((kind) => kinds.includes(kind)).length;
}
