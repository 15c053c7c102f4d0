import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BulkNetwork } from '../../../node/p2p/bulk-network.ts';
import type { OpenHandler } from '../../../node/p2p/bytes-channel.ts';
import { createClusterKey } from '../../../node/p2p/cluster-key.ts';
import { createNodeKey, nodeIdOf } from '../../../node/p2p/identity.ts';
import { Rejection } from '../../../src/errors.ts';
import type { NodeId } from '../../../src/ids.ts';
import { CLUSTER_ID, QUIET } from './support.ts';

const KEY = createClusterKey();
const STALL_MS = 20_000;

interface Plan {
  readonly clusterKey?: Uint8Array;
  readonly port?: number;
  readonly advertise?: readonly string[];
  readonly handler?: OpenHandler;
}

async function* echo(_from: NodeId, body: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield body;
}

async function start({ clusterKey = KEY, port = 0, advertise = [], handler = echo }: Plan = {}) {
  const privateKey = await createNodeKey();
  const network = await BulkNetwork.start(
    { logger: QUIET, privateKey, clusterKey, clusterId: CLUSTER_ID },
    { listen: { host: '127.0.0.1', port }, advertise },
    handler,
  );
  onTestFinished(() => network.close());
  return { id: nodeIdOf(privateKey), network };
}

type Started = Awaited<ReturnType<typeof start>>;

function knows(one: Started, ...others: readonly Started[]): void {
  one.network.setMembers(new Map(others.map(({ id, network }) => [id, network.addresses()])));
}

async function ask(from: Started, to: Started, body = Buffer.from('hello'), stallMs = STALL_MS): Promise<string> {
  const chunks: Uint8Array[] = [];
  const stream = from.network.open(to.id, body, new AbortController().signal, stallMs);
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('the bulk network', () => {
  test('carries what a member asks and its answer, also large ones, in both directions over one connection', async () => {
    const large = Buffer.alloc(3 * 1024 * 1024, 'x');
    const a = await start({
      handler: async function* () {
        yield large;
      },
    });
    const b = await start();
    knows(a, b);
    knows(b, a);
    expect(await ask(a, b)).toBe('hello');
    expect((await ask(b, a)).length).toBe(large.length);
  });

  test('lets in no one who is not a member, though it has the key of the cluster', async () => {
    const a = await start();
    const stranger = await start();
    knows(stranger, a);
    await expect(ask(stranger, a)).rejects.toMatchObject({ code: 'peerUnreachable' });
    knows(a, stranger);
    expect(await ask(stranger, a)).toBe('hello');
    a.network.setMembers(new Map());
    await expect(ask(stranger, a)).rejects.toMatchObject({ code: 'peerUnreachable' });
  });

  test('lets in no one with another key', async () => {
    const a = await start();
    const b = await start({ clusterKey: createClusterKey() });
    knows(a, b);
    knows(b, a);
    await expect(ask(b, a)).rejects.toMatchObject({ code: 'peerUnreachable' });
  });

  test('brings the error of the one who answers, and gives up one who sends nothing', async () => {
    const a = await start();
    const { promise: never, resolve } = Promise.withResolvers<void>();
    onTestFinished(() => resolve());
    const b = await start({
      handler: async function* (_from, body) {
        if (body.length === 1) await never;
        yield* [];
        throw new Rejection('notFound', 'not here');
      },
    });
    knows(a, b);
    knows(b, a);
    await expect(ask(a, b)).rejects.toMatchObject({ code: 'notFound' });
    await expect(ask(a, b, Buffer.of(1), 100)).rejects.toMatchObject({ code: 'timedOut' });
  });

  test('ends what is under way with a member that is known to be gone', async () => {
    const a = await start();
    const b = await start({
      handler: async function* () {
        yield Buffer.from('first');
        await new Promise(() => {});
      },
    });
    knows(a, b);
    knows(b, a);
    const stream = a.network.open(b.id, Buffer.from('x'), new AbortController().signal, STALL_MS);
    const iterator = stream[Symbol.asyncIterator]();
    expect((await iterator.next()).done).toBe(false);
    const next = iterator.next();
    a.network.drop(b.id);
    await expect(next).rejects.toMatchObject({ code: 'peerUnreachable' });
  });

  test('takes another port where its own is in use, and tells which with the hosts that are advertised', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as { readonly port: number };
    const { network } = await start({ port, advertise: ['10.1.2.3:8751', '/dns4/node-1/tcp/8751'] });
    const told = network.addresses().map((text) => /^(.*)\/tcp\/(\d+)$/.exec(text)?.slice(1));
    expect(told.map((parts) => parts?.[0])).toEqual(['/ip4/10.1.2.3', '/dns4/node-1']);
    expect(told.every((parts) => Number(parts?.[1]) > 0 && Number(parts?.[1]) !== port)).toBe(true);
  });
});
