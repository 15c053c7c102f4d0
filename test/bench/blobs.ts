import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { TestCluster } from '../support/cluster.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { longestDelayMs } from './event-loop-delay.ts';
import { Figures, formatNumber } from './figures.ts';
import { quantileOf } from './statistics.ts';
import type { BenchRun, Table } from './table.ts';

const MIB = 1024 * 1024;
const SIZE_MIB = 1024;
const PAUSE_MS = 5;
const WAITING = { command: ['true'], notBefore: '2099-01-01T00:00:00Z' };

/**
 * A file put and read through HTTP at three nodes of one machine, each blob on two of them; beside the hash and the disk
 * alone. Meanwhile one client submits at the leader, one job after another.
 */
export const blobs: Table = {
  name: 'blobs',
  heading: 'Blobs',
  columns: ['1 blob', 'MB/s', 'submit p50', 'submit p99', "leader's longest delay of its loop", 'changes of leader'],
  async measure(run) {
    const cluster = await TestCluster.start({ size: 3 });
    try {
      return await measureAt(cluster, run);
    } catch (error) {
      run.tell(cluster.logTails());
      throw error;
    } finally {
      cluster.end();
      run.removeAtTheEnd({ remove: () => cluster.removeFolder() });
    }
  },
};

async function measureAt(cluster: TestCluster, run: BenchRun): Promise<string[][]> {
  const bytes = run.scaled(SIZE_MIB) * MIB;
  const token = await cluster.adminToken();
  const figures = new Map<string, Figures>();
  const note = (what: string, values: Readonly<Record<string, number>>): void => {
    const found = figures.get(what) ?? new Figures();
    figures.set(what, found);
    for (const [name, value] of Object.entries(values)) found.record(name, value);
  };
  for (let round = 1; round <= run.rounds; round += 1) {
    run.tell(`blobs: round ${round}`);
    const file = join(cluster.folder, `blob-${round}`);
    note('written and synced alone', { rate: await perSecond(bytes, () => writeFile(file, bytes, round)) });
    note('sha256sum alone', { rate: await perSecond(bytes, () => promisify(execFile)('sha256sum', [file])) });
    const hash = await hashOf(file);
    const leader = await cluster.leader();
    note('nothing', await besides(cluster, leader, () => new Promise((resolve) => setTimeout(resolve, 3000))));
    const [taker] = await cluster.followers();
    if (taker === undefined) throw new Error('no follower');
    const timed = async (what: string, work: () => Promise<void>): Promise<void> => {
      let rate = 0;
      const beside = await besides(cluster, leader, async () => {
        rate = await perSecond(bytes, work);
      });
      note(what, { rate, ...beside });
    };
    await timed('put at a follower, two copies', () => put({ node: taker, token }, file, bytes, hash));
    await timed('get where it is', () => get({ node: taker, token }, hash, bytes));
    const other = await without(cluster, hash);
    if (other !== null) await timed('get through a node without it', () => get({ node: other, token }, hash, bytes));
    await rm(file);
  }
  return [...figures].map(([what, told]) => rowOf(what, told));
}

function rowOf(what: string, told: Figures): string[] {
  const cell = (name: string, unit: string, digits = 0): string => {
    const text = told.tell(name, digits);
    return text === 'NaN' ? '' : `${text}${unit}`;
  };
  return [
    what,
    cell('rate', ''),
    cell('p50', ' ms', 1),
    cell('p99', ' ms', 1),
    cell('delay', ' ms'),
    cell('terms', ''),
  ];
}

async function perSecond(bytes: number, work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return bytes / 1e6 / ((performance.now() - began) / 1000);
}

/** What one client that submits at the leader meets meanwhile. */
async function besides(cluster: TestCluster, leader: NodeProcess, work: () => Promise<unknown>) {
  const { term } = await leader.api.cluster();
  await longestDelayMs(leader.api);
  const latencies: number[] = [];
  let isOver = false;
  const submitting = (async () => {
    while (!isOver) {
      const sentAt = performance.now();
      await leader.api.http.post('/v1/jobs', WAITING);
      latencies.push(performance.now() - sentAt);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  })();
  await work().finally(() => (isOver = true));
  await submitting;
  const after = await (await cluster.leader()).api.cluster();
  return {
    p50: quantileOf(latencies, 0.5),
    p99: quantileOf(latencies, 0.99),
    delay: await longestDelayMs(leader.api),
    terms: Number(after.term) - Number(term),
  };
}

async function writeFile(path: string, bytes: number, seed: number): Promise<void> {
  const file = await open(path, 'w');
  const block = Buffer.alloc(MIB);
  for (let at = 0; at < MIB; at += 32) createHash('sha256').update(`${seed} ${at}`).digest().copy(block, at);
  for (let at = 0; at < bytes; at += MIB) {
    block.writeDoubleLE(at, 0);
    await file.write(block);
  }
  await file.sync();
  await file.close();
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: MIB })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function without(cluster: TestCluster, hash: string): Promise<NodeProcess | null> {
  for (const node of cluster.nodes) {
    const size = await open(join(node.dataDir, 'blobs', 'sha256', hash.slice(0, 2), hash), 'r').then(
      async (file) => await file.close().then(() => 'here'),
      () => null,
    );
    if (size === null) return node;
  }
  return null;
}

interface Site {
  readonly node: NodeProcess;
  readonly token: string;
}

async function put(site: Site, path: string, bytes: number, hash: string): Promise<void> {
  const call = await callTo(site, 'PUT', hash, { 'content-length': String(bytes) });
  const answered = answerOf(call);
  await pipeline(createReadStream(path, { highWaterMark: MIB }), call);
  const { status } = await answered;
  if (status !== 201) throw new Error(`put: ${status}`);
}

async function get(site: Site, hash: string, bytes: number): Promise<void> {
  const call = await callTo(site, 'GET', hash, {});
  const answered = answerOf(call);
  call.end();
  const { status, received } = await answered;
  if (status !== 200 || received !== bytes) throw new Error(`get: ${status}, ${formatNumber(received)} bytes`);
}

async function callTo({ node, token }: Site, method: string, hash: string, headers: Readonly<Record<string, string>>) {
  const { http } = await node.requireFile();
  const authorization = `Bearer ${token}`;
  return request(`http://${http}/v1/blobs/sha256/${hash}`, { method, headers: { authorization, ...headers } });
}

async function answerOf(call: ReturnType<typeof request>): Promise<{ status: number | undefined; received: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number | undefined; received: number }>();
  call.once('error', reject);
  call.once('response', (response) => {
    let received = 0;
    response.on('data', (chunk: Buffer) => (received += chunk.length));
    response.once('error', reject);
    response.once('end', () => resolve({ status: response.statusCode, received }));
  });
  return await promise;
}
