import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BlobClient } from '../../../node/blobs/blob-client.ts';
import type { BlobMember } from '../../../node/blobs/holders.ts';
import type { BlobLimits } from '../../../node/blobs/limits.ts';
import type { BulkSettings, Whereabouts } from '../../../node/blobs/port.ts';
import { createClusterKey } from '../../../node/p2p/cluster-key.ts';
import { createNodeKey, encodeNodeKey, nodeIdOf } from '../../../node/p2p/identity.ts';
import { wantedHolders } from '../../../src/cas/placement.ts';
import type { BlobName } from '../../../src/cas/digest.ts';
import type { NodeId } from '../../../src/ids.ts';
import { tempFolder } from '../storage/temp-folder.ts';
import { bytesOf, chunksOf, nameOf, sample } from './support.ts';

const MIB = 1024 * 1024;
const FAST: Partial<BlobLimits> = {
  goneAfterMs: 300,
  reviewDelayMs: 10,
  retryMs: 100,
  repairPatienceMs: 10,
  missMs: 50,
};

interface Node {
  readonly id: NodeId;
  readonly folder: string;
  readonly settings: BulkSettings;
  blobs: BlobClient;
  at: Whereabouts;
  connected: boolean;
  leaving: boolean;
}

interface Plan {
  readonly copies?: number;
  readonly capacityBytes?: number;
  readonly limits?: Partial<BlobLimits>;
}

/** Nodes that have nothing but blobs; the test says who is connected, as the network of control would. */
class BlobCluster {
  readonly nodes: Node[] = [];
  readonly #plan: Plan;
  readonly #key = createClusterKey();

  static async start(size: number, plan: Plan = {}): Promise<BlobCluster> {
    const cluster = new BlobCluster(plan);
    for (let at = 0; at < size; at += 1) await cluster.add();
    await cluster.introduce();
    return cluster;
  }

  private constructor(plan: Plan) {
    this.#plan = plan;
  }

  async add(): Promise<Node> {
    const key = await createNodeKey();
    const settings: BulkSettings = {
      self: nodeIdOf(key),
      privateKey: encodeNodeKey(key),
      clusterKey: this.#key,
      clusterId: 'test-cluster',
      listen: { host: '127.0.0.1', port: 0 },
      advertise: [],
    };
    const folder = await tempFolder();
    const blobs = await this.#open(folder, settings);
    const at = await blobs.whereabouts();
    const node: Node = { id: settings.self, folder, settings, blobs, at, connected: true, leaving: false };
    onTestFinished(() => node.blobs.close());
    this.nodes.push(node);
    return node;
  }

  async kill(node: Node): Promise<void> {
    node.connected = false;
    await node.blobs.close();
    await this.introduce();
  }

  async restart(node: Node): Promise<void> {
    node.blobs = await this.#open(node.folder, node.settings);
    node.at = await node.blobs.whereabouts();
    node.connected = true;
    await this.introduce();
  }

  async introduce(): Promise<void> {
    for (const node of this.nodes.filter(({ connected }) => connected)) {
      const others = this.nodes.filter((other) => other !== node);
      await node.blobs.setMembers(others.map(memberOf), node.leaving);
    }
  }

  /** Those on whose disk it is. */
  async holders(name: BlobName): Promise<NodeId[]> {
    const found: NodeId[] = [];
    for (const { id, folder, connected } of this.nodes) {
      const files = await readdir(join(folder, 'sha256', name.hash.slice(0, 2))).catch((): string[] => []);
      if (connected && files.includes(name.hash)) found.push(id);
    }
    return found;
  }

  node(id: NodeId): Node {
    return this.nodes.find((node) => node.id === id)!;
  }

  wanted(name: BlobName, copies = 2): readonly NodeId[] {
    const ids = this.nodes.filter(({ connected, leaving }) => connected && !leaving).map(({ id }) => id);
    return wantedHolders(name, ids, copies);
  }

  #open(folder: string, settings: BulkSettings): Promise<BlobClient> {
    const { copies = 2, capacityBytes = 1024 * MIB, limits } = this.#plan;
    return BlobClient.start(
      {
        logger: pino({ level: process.env['BLOB_TEST_LOG'] ?? 'silent' }),
        onFatal: (error) => {
          throw error;
        },
      },
      {
        folder,
        capacityBytes,
        copies,
        trees: { filesFolder: join(folder, 'inputs'), filesBytes: MIB },
        network: settings,
        limits: { ...FAST, ...limits },
      },
    );
  }
}

function memberOf({ id, at, connected, leaving }: Node): BlobMember {
  return { id, addresses: at.addresses, store: at.store, connected, leaving };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

function pathOf({ folder }: Node, name: BlobName): string {
  return join(folder, 'sha256', name.hash.slice(0, 2), name.hash);
}

async function put(node: Node, bytes: Buffer) {
  return await node.blobs.put(nameOf(bytes), chunksOf(bytes, MIB), { size: bytes.length });
}

async function whole(node: Node, name: BlobName): Promise<Buffer> {
  return await bytesOf((await node.blobs.open(name)).stream);
}

describe('a blob that is put', () => {
  test('is acknowledged with two copies, comes to those that should have it, and is read at every node', async () => {
    const cluster = await BlobCluster.start(3);
    for (let number = 0; number < 6; number += 1) {
      const bytes = sample(number, 3 * MIB + number);
      const name = nameOf(bytes);
      expect(await put(cluster.nodes[0]!, bytes)).toEqual({ size: bytes.length, existed: false, copies: 2 });
      expect(await cluster.holders(name)).toHaveLength(2);
      for (const node of cluster.nodes) {
        expect((await whole(node, name)).equals(bytes)).toBe(true);
        expect(await node.blobs.stat(name)).toEqual({ size: bytes.length });
        const part = await bytesOf((await node.blobs.open(name, { start: MIB, end: MIB + 7 })).stream);
        expect(part.equals(bytes.subarray(MIB, MIB + 7))).toBe(true);
      }
      await until(async () => {
        const holders = await cluster.holders(name);
        return cluster.wanted(name).every((id) => holders.includes(id));
      });
    }
    const nowhere = nameOf(Buffer.from('nowhere'));
    expect(await cluster.nodes[1]!.blobs.stat(nowhere)).toBeNull();
    await expect(cluster.nodes[1]!.blobs.open(nowhere)).rejects.toMatchObject({ code: 'notFound' });
    expect(await cluster.nodes[1]!.blobs.missing([nameOf(sample(1, 3 * MIB + 1)), nowhere])).toEqual([nowhere]);
  });

  test('while no other member is there has one copy, and gets the second soon after one comes', async () => {
    const cluster = await BlobCluster.start(2);
    const [first, second] = cluster.nodes as [Node, Node];
    await cluster.kill(second);
    const bytes = sample(1, MIB);
    expect(await put(first, bytes)).toMatchObject({ copies: 1 });
    await cluster.restart(second);
    await until(async () => (await cluster.holders(nameOf(bytes))).length === 2);
    expect((await whole(second, nameOf(bytes))).equals(bytes)).toBe(true);
  });

  test('is in one copy where one is enough', async () => {
    const cluster = await BlobCluster.start(2, { copies: 1 });
    expect(await put(cluster.nodes[0]!, sample(1, MIB))).toMatchObject({ copies: 1 });
  });

  test('by many nodes at once is the same blob', async () => {
    const cluster = await BlobCluster.start(3);
    const bytes = sample(1, 4 * MIB);
    const results = await Promise.all(cluster.nodes.map((node) => put(node, bytes)));
    expect(results.every(({ copies }) => copies >= 2)).toBe(true);
    for (const node of cluster.nodes) expect((await whole(node, nameOf(bytes))).equals(bytes)).toBe(true);
  });

  test('takes its pins with it', async () => {
    const cluster = await BlobCluster.start(2, { capacityBytes: 3 * MIB });
    const [first, second] = cluster.nodes as [Node, Node];
    const bytes = sample(1, 2 * MIB);
    const pins = [{ owner: 'job:1', until: null }];
    await first.blobs.put(nameOf(bytes), chunksOf(bytes, MIB), { pins });
    await expect(put(second, sample(2, 2 * MIB))).rejects.toMatchObject({ code: 'diskFull' });
    await first.blobs.release('job:1');
    await second.blobs.release('job:1');
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(await put(second, sample(2, 2 * MIB))).toMatchObject({ existed: false });
  });
});

describe('when a holder is lost', () => {
  test('with its disk, there are two copies of everything again', async () => {
    const cluster = await BlobCluster.start(3);
    const blobs = Array.from({ length: 30 }, (_, number) => sample(number, 50_000 + number));
    for (const [at, bytes] of blobs.entries()) await put(cluster.nodes[at % 3]!, bytes);
    const lost = cluster.nodes[1]!;
    await cluster.kill(lost);
    await rm(lost.folder, { recursive: true });
    const since = performance.now();
    await until(async () => {
      const counts = await Promise.all(blobs.map(async (bytes) => (await cluster.holders(nameOf(bytes))).length));
      return counts.every((count) => count === 2);
    });
    console.log(`two copies of ${blobs.length} blobs again after ${Math.round(performance.now() - since)} ms`);
    for (const node of cluster.nodes.filter(({ connected }) => connected)) {
      for (const bytes of blobs) expect((await whole(node, nameOf(bytes))).equals(bytes)).toBe(true);
    }
  });

  test('in the middle of a read, the read goes on at another', async () => {
    const cluster = await BlobCluster.start(3);
    const bytes = sample(1, 24 * MIB);
    const name = nameOf(bytes);
    const owners = cluster.wanted(name);
    await put(cluster.node(owners[0]!), bytes);
    const reader = cluster.nodes.find(({ id }) => !owners.includes(id))!;
    const { stream } = await reader.blobs.open(name);
    const read: Uint8Array[] = [];
    for await (const chunk of stream) {
      read.push(chunk);
      if (read.length === 1) await cluster.kill(cluster.node(owners[0]!));
    }
    expect(Buffer.concat(read).equals(bytes)).toBe(true);
  });

  test('and comes back with an empty store, it gets what it should have', async () => {
    const cluster = await BlobCluster.start(2);
    const [first, second] = cluster.nodes as [Node, Node];
    const bytes = sample(1, MIB);
    await put(first, bytes);
    await cluster.kill(second);
    await rm(second.folder, { recursive: true });
    await cluster.restart(second);
    await until(async () => (await cluster.holders(nameOf(bytes))).length === 2);
  });
});

test('a blob that has gone bad is brought back from another node', async () => {
  const cluster = await BlobCluster.start(3, {
    limits: { scrubPauseMs: 10, scrubEveryMs: 1, scrubBytesPerSecond: 1e12 },
  });
  const bytes = sample(1, 2 * MIB);
  const name = nameOf(bytes);
  const owner = cluster.node(cluster.wanted(name)[0]!);
  await put(owner, bytes);
  const rotten = await readFile(pathOf(owner, name));
  rotten[MIB]! ^= 1;
  await writeFile(pathOf(owner, name), rotten);
  await until(async () => (await owner.blobs.figures()).mended === 1);
  expect((await readFile(pathOf(owner, name))).equals(bytes)).toBe(true);
  expect((await readFile(join(owner.folder, 'damaged', name.hash))).equals(rotten)).toBe(true);
});

test('a member that joins gets its share, and copies that nobody wants any more go', async () => {
  const cluster = await BlobCluster.start(2, { limits: { surplusAfterMs: 0 } });
  const blobs = Array.from({ length: 24 }, (_, number) => sample(number, 10_000 + number));
  for (const bytes of blobs) await put(cluster.nodes[0]!, bytes);
  const joined = await cluster.add();
  await cluster.introduce();
  expect(blobs.some((bytes) => cluster.wanted(nameOf(bytes)).includes(joined.id))).toBe(true);
  // What is surplus goes only once a later look has found the others to hold it.
  for (const node of cluster.nodes) await node.blobs.setMembers([], false);
  await cluster.introduce();
  await until(async () => {
    const held = await Promise.all(blobs.map((bytes) => cluster.holders(nameOf(bytes))));
    return held.every((ids, at) => ids.toSorted().join() === [...cluster.wanted(nameOf(blobs[at]!))].toSorted().join());
  });
});

test('a member that leaves for good hands over what it has', async () => {
  const cluster = await BlobCluster.start(3, { copies: 1 });
  const leaver = cluster.nodes[0]!;
  const blobs = Array.from({ length: 12 }, (_, number) => sample(number, 10_000 + number));
  for (const bytes of blobs) await put(leaver, bytes);
  leaver.leaving = true;
  await cluster.introduce();
  await until(async () => {
    const held = await Promise.all(blobs.map((bytes) => cluster.holders(nameOf(bytes))));
    return held.every((ids) => ids.some((id) => id !== leaver.id));
  });
});

test('a member that is asked to hand over does so, and tells what is left', async () => {
  const cluster = await BlobCluster.start(3, { copies: 1 });
  const leaver = cluster.nodes[0]!;
  const blobs = Array.from({ length: 12 }, (_, number) => sample(number, 10_000 + number));
  for (const bytes of blobs) await put(leaver, bytes);
  expect(await leaver.blobs.handOver()).toEqual({ left: 0 });
  const held = await Promise.all(blobs.map((bytes) => cluster.holders(nameOf(bytes))));
  expect(held.every((ids) => ids.some((id) => id !== leaver.id))).toBe(true);
  for (const other of cluster.nodes.slice(1)) await cluster.kill(other);
  await put(leaver, sample(99, 1000));
  expect((await leaver.blobs.handOver()).left).toBeGreaterThan(0);
});

test('a full store lets go of what the other holder has, and of no last copy that the other could take', async () => {
  const cluster = await BlobCluster.start(2, { capacityBytes: 5 * MIB });
  const [first] = cluster.nodes as [Node, Node];
  const blobs = Array.from({ length: 4 }, (_, number) => sample(number, 2 * MIB));
  for (const bytes of blobs) await put(first, bytes);
  expect((await first.blobs.figures()).bytes).toBeLessThanOrEqual(5 * MIB);
  expect((await whole(first, nameOf(blobs[3]!))).equals(blobs[3]!)).toBe(true);
  const away = cluster.nodes[1]!;
  away.connected = false;
  await cluster.introduce();
  // Within the grace the other still counts and cannot say that it has them.
  await expect(put(first, sample(9, 4 * MIB))).rejects.toMatchObject({ code: 'diskFull' });
});
