import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { bytes, connected, eventually, introduce, pause, TestCluster } from './support.ts';

const cluster = new TestCluster();
afterEach(() => cluster.close());

test('twelve nodes of one machine that start at once are all connected at the first dial, hear one another and stay so', async () => {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  process.on('unhandledRejection', onError);
  process.on('uncaughtException', onError);
  try {
    const size = 12;
    // So that a busy machine cannot make a dial fail.
    const patient = { dialTimeoutMs: 50_000, addressDialTimeoutMs: 50_000, upgradeTimeoutMs: 50_000 };
    const log: string[] = [];
    const logger = pino({ level: 'debug' }, { write: (line) => void log.push(line) });
    const networks = await Promise.all(Array.from({ length: size }, () => cluster.start({ logger, limits: patient })));
    const heard = networks.map(() => new Set<string>());
    const events = networks.map(() => [] as string[]);
    networks.forEach((network, position) => {
      network.handle('control', async (_from, body) => body);
      network.onCapacity((from) => heard[position]?.add(from));
      network.onConnectivity((peer, state) => events[position]?.push(`${state} ${peer}`));
    });
    introduce(networks);
    await connected(networks);
    expect(log.filter((line) => line.includes('a dial to a member failed'))).toEqual([]);
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

test('two that dial each other at the same moment settle on one connection without going down', async () => {
  const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  // Those of the test before may still be closing.
  await eventually(() => sockets() === 0);
  for (let round = 0; round < 10; round += 1) {
    const networks = await Promise.all([1, 2].map(() => cluster.start({ limits: { politeDialMs: 0 } })));
    const events: string[] = [];
    for (const network of networks) network.onConnectivity((_peer, state) => events.push(state));
    introduce(networks);
    await connected(networks);
    // Both ends of it are in this process.
    await eventually(() => sockets() === 2);
    await pause(100);
    expect(sockets()).toBe(2);
    expect(events).toEqual(['up', 'up']);
    await Promise.all(networks.map((network) => network.close()));
    await eventually(() => sockets() === 0);
  }
}, 60_000);
