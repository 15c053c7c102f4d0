import { type Logger, pino } from 'pino';
import type { Registry } from 'prom-client';
import type { NodeId } from '../../../src/ids.ts';
import { createClusterKey } from '../../../node/p2p/cluster-key.ts';
import { createPeerNetwork } from '../../../node/p2p/host.ts';
import { createNodeKey } from '../../../node/p2p/identity.ts';
import type { NetworkLimits } from '../../../node/p2p/limits.ts';
import type { PeerNetwork } from '../../../node/p2p/network.ts';

export const CLUSTER_ID = 'test-cluster';
export const QUIET = pino({ level: process.env['P2P_TEST_LOG'] ?? 'silent' });

type NodeKey = Awaited<ReturnType<typeof createNodeKey>>;

export interface NetworkPlan {
  readonly key?: NodeKey;
  readonly clusterKey?: Uint8Array;
  readonly clusterId?: string;
  readonly port?: number;
  readonly advertise?: readonly string[];
  readonly limits?: Partial<NetworkLimits>;
  readonly registry?: Registry;
  readonly logger?: Logger;
}

/** Networks on loopback that share a cluster's key and are closed with the test. */
export class TestCluster {
  readonly key = createClusterKey();
  readonly #opened = new Set<PeerNetwork>();

  async start(plan: NetworkPlan = {}): Promise<PeerNetwork> {
    const network = await createPeerNetwork(
      {
        logger: plan.logger ?? QUIET,
        privateKey: plan.key ?? (await createNodeKey()),
        clusterKey: plan.clusterKey ?? this.key,
        clusterId: plan.clusterId ?? CLUSTER_ID,
        ...(plan.registry === undefined ? {} : { registry: plan.registry }),
      },
      {
        listen: { host: '127.0.0.1', port: plan.port ?? 0 },
        advertise: plan.advertise ?? [],
        ...(plan.limits === undefined ? {} : { limits: plan.limits }),
      },
    );
    this.#opened.add(network);
    return network;
  }

  /** That many members, all knowing each other and connected. */
  async mesh(size: number, plan: NetworkPlan = {}): Promise<PeerNetwork[]> {
    const networks = await Promise.all(Array.from({ length: size }, () => this.start(plan)));
    introduce(networks);
    await connected(networks);
    return networks;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#opened].map((network) => network.close()));
    this.#opened.clear();
  }
}

export function introduce(networks: readonly PeerNetwork[]): void {
  const members = membersOf(networks);
  for (const network of networks) network.setMembers(members);
}

export function membersOf(networks: readonly PeerNetwork[]): Map<NodeId, readonly string[]> {
  return new Map(networks.map((network) => [network.self, network.addresses()]));
}

export async function connected(networks: readonly PeerNetwork[]): Promise<void> {
  await eventually(() => networks.every((network) => network.connected().length === networks.length - 1));
}

/** Waits until it holds; the test's own time limit is the only one. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(10);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

export function text(body: Uint8Array): string {
  return Buffer.from(body).toString();
}

/** What the promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => null,
    (error: unknown) => error,
  );
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}
