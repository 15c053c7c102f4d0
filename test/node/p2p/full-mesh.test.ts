import { afterEach, expect, test } from 'vitest';
import { createNodeKey } from '../../../node/p2p/identity.ts';
import { bytes, connected, eventually, introduce, pause, TestCluster } from './support.ts';

const cluster = new TestCluster();
afterEach(() => cluster.close());

test('twelve nodes of one machine that start at once are all connected, hear one another and stay so', async () => {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  process.on('unhandledRejection', onError);
  process.on('uncaughtException', onError);
  try {
    const size = 12;
    const networks = await Promise.all(Array.from({ length: size }, () => cluster.start()));
    const heard = networks.map(() => new Set<string>());
    const events = networks.map(() => [] as string[]);
    networks.forEach((network, position) => {
      network.handle('control', async (_from, body) => body);
      network.onCapacity((from) => heard[position]?.add(from));
      network.onConnectivity((peer, state) => events[position]?.push(`${state} ${peer}`));
    });
    introduce(networks);
    await connected(networks);
    await Promise.all(
      networks.flatMap((from) =>
        networks
          .filter((to) => to !== from)
          .map((to) => from.request(to.self, 'control', bytes('hello'), { timeoutMs: 20_000 })),
      ),
    );
    await eventually(async () => {
      for (const network of networks) network.publishCapacity(bytes(`of ${network.self}`));
      await pause(200);
      return heard.every((authors) => authors.size === size - 1);
    });
    await pause(1000);
    for (const list of events) {
      expect(list).toHaveLength(size - 1);
      expect(list.every((event) => event.startsWith('up '))).toBe(true);
    }
  } finally {
    process.off('unhandledRejection', onError);
    process.off('uncaughtException', onError);
  }
  expect(errors).toEqual([]);
}, 60_000);

test('two that dial each other at the same moment settle on connections without going down', async () => {
  for (let round = 0; round < 10; round += 1) {
    const keys = [await createNodeKey(), await createNodeKey()];
    const networks = await Promise.all(keys.map((key) => cluster.start({ key })));
    const events: string[] = [];
    for (const network of networks) network.onConnectivity((_peer, state) => events.push(state));
    introduce(networks);
    await connected(networks);
    await pause(100);
    expect(events).toEqual(['up', 'up']);
    await Promise.all(networks.map((network) => network.close()));
  }
}, 60_000);
