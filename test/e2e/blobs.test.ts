import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { NodeProcess } from '../support/node-process.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';
import { runQuorate } from '../support/command-line.ts';

const cluster = useCluster({ size: 3 });
const MIB = 1024 * 1024;

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function holds({ dataDir }: NodeProcess, hash: string): Promise<boolean> {
  return (await readdir(join(dataDir, 'blobs', 'sha256', hash.slice(0, 2))).catch((): string[] => [])).includes(hash);
}

async function holdersOf(hash: string): Promise<readonly NodeProcess[]> {
  const running = cluster().nodes.filter((node) => node.running);
  const held = await Promise.all(running.map((node) => holds(node, hash)));
  return running.filter((_, at) => held[at]);
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch((): string[] => []);
}

async function request(node: NodeProcess, method: string, path: string, body?: Uint8Array<ArrayBuffer>) {
  const { http } = await node.requireFile();
  const headers = { authorization: `Bearer ${await cluster().adminToken()}` };
  return await fetch(`http://${http}${path}`, { method, headers, ...(body && { body }) });
}

async function put(node: NodeProcess, bytes: Uint8Array<ArrayBuffer>): Promise<{ hash: string; copies: number }> {
  const response = await request(node, 'PUT', `/v1/blobs/sha256/${hashOf(bytes)}`, bytes);
  expect(response.status).toBe(201);
  return (await response.json()) as { hash: string; copies: number };
}

async function get(node: NodeProcess, hash: string): Promise<Buffer> {
  const response = await request(node, 'GET', `/v1/blobs/sha256/${hash}`);
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

describe('blobs of three nodes', () => {
  it('are on two disks when they are acknowledged, and read at each node', async () => {
    const bytes = new Uint8Array(randomBytes(5 * MIB + 3));
    const { hash, copies } = await put(cluster().node(1), bytes);
    expect(copies).toBe(2);
    expect((await holdersOf(hash)).length).toBeGreaterThanOrEqual(2);
    for (const node of cluster().nodes) expect((await get(node, hash)).equals(bytes)).toBe(true);
  });

  it('go in and come out through the command line', async () => {
    const node = cluster().node(2);
    const { http } = await node.requireFile();
    const env = { QUORATE_URL: `http://${http}`, QUORATE_TOKEN: await cluster().adminToken() };
    const path = join(cluster().folder, 'file');
    const bytes = randomBytes(300_000);
    await writeFile(path, bytes);
    const stored = await runQuorate(['blob', 'put', path], { env });
    expect([stored.code, stored.stdout.trim()]).toEqual([0, hashOf(bytes)]);
    const stat = await runQuorate(['blob', 'stat', hashOf(bytes), '--json'], { env });
    expect(JSON.parse(stat.stdout)).toEqual({ hash: hashOf(bytes), size: 300_000 });
    const out = join(cluster().folder, 'out');
    expect((await runQuorate(['blob', 'get', hashOf(bytes), '-o', out], { env })).code).toBe(0);
  });

  it('are refused with a wrong hash or name, and cut uploads leave nothing', async () => {
    const node = cluster().node(0);
    const wrong = await request(node, 'PUT', `/v1/blobs/sha256/${'a'.repeat(64)}`, new Uint8Array(1000));
    expect([wrong.status, ((await wrong.json()) as { code: string }).code]).toEqual([422, 'hashMismatch']);
    for (const path of ['..%2f..%2fadmin.token', '%2e%2e/%2e%2e/node.key', 'A'.repeat(64), 'a'.repeat(63)]) {
      const response = await request(node, 'GET', `/v1/blobs/sha256/${path}`);
      expect([400, 404]).toContain(response.status);
    }
    await cutUpload(node, hashOf(Buffer.from('never')));
    const { dataDir } = node;
    await waitUntil('nothing to be left of it', async () =>
      (await filesBelow(join(dataDir, 'blobs', 'incoming'))).length === 0 ? true : null,
    );
    expect(await holds(node, hashOf(Buffer.from('never')))).toBe(false);
    expect(await holds(node, 'a'.repeat(64))).toBe(false);
  });

  it('survive the loss of a holder with its disk, and are on two disks again soon', async () => {
    const blobs = Array.from({ length: 20 }, (_, at) => new Uint8Array(randomBytes(100_000 + at)));
    for (const [at, bytes] of blobs.entries()) await put(cluster().node(at % 3), bytes);
    const lost = cluster().node(2);
    await lost.killMachine();
    await lost.ended();
    await rm(join(lost.dataDir, 'blobs'), { recursive: true });
    const since = performance.now();
    for (const bytes of blobs) expect((await get(cluster().node(0), hashOf(bytes))).equals(bytes)).toBe(true);
    await waitUntil(
      'two copies of everything',
      async () => {
        const held = await Promise.all(blobs.map((bytes) => holdersOf(hashOf(bytes))));
        return held.every((nodes) => nodes.length === 2) ? true : null;
      },
      { timeoutMs: 120_000 },
    );
    console.log(
      `two copies of all again ${Math.round((performance.now() - since) / 100) / 10} s after a holder was lost`,
    );
    for (const bytes of blobs) expect((await get(cluster().node(1), hashOf(bytes))).equals(bytes)).toBe(true);
  });
});

/** The client goes away in the middle of the body. */
async function cutUpload(node: NodeProcess, hash: string): Promise<void> {
  const { http } = await node.requireFile();
  const [host = '', port = ''] = http.split(':');
  const token = await cluster().adminToken();
  await new Promise<void>((resolve, reject) => {
    const socket = connect(Number(port), host, () => {
      socket.write(
        `PUT /v1/blobs/sha256/${hash} HTTP/1.1\r\nhost: ${http}\r\nauthorization: Bearer ${token}\r\ncontent-length: ${MIB}\r\n\r\n`,
      );
      socket.write(Buffer.alloc(MIB / 2), () => {
        socket.destroy();
        resolve();
      });
    });
    socket.once('error', reject);
  });
}
