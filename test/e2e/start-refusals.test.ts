import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestCluster } from '../support/cluster.ts';
import type { NodeProcess } from '../support/node-process.ts';

const ANY_PORT = ['--http', '127.0.0.1:0', '--p2p', '127.0.0.1:0', '--grpc', '127.0.0.1:0'];

describe('starting a node', () => {
  let home: TestCluster;
  let other: TestCluster;

  beforeAll(async () => {
    home = await TestCluster.start({ size: 1 });
    other = await TestCluster.start({ size: 1 });
  });

  afterAll(async () => {
    await home.close();
    await other.close();
  });

  async function expectRefused(node: NodeProcess, flags: readonly string[], message: RegExp): Promise<void> {
    await node.launch('up', flags);
    const { code } = await node.ended();
    expect(code, node.logTail()).not.toBe(0);
    expect(node.logTail()).toMatch(message);
    node.destroy();
  }

  it.each(['--http', '--p2p'])('refuses a port in use for %s, and names the address', async (flag) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expectRefused(
      home.add(),
      ['--bootstrap', ...ANY_PORT, flag, address],
      new RegExp(`${address} is in use .*\\(conflict\\)`),
    );
    server.close();
    home.nodes.pop();
  });

  it('refuses to join with the data folder of another cluster, and leaves the folder usable', async () => {
    const token = await home.node(0).readSecret('join.token');
    const node = other.node(0);
    const before = await node.api.cluster();
    await node.stop();
    await expectRefused(node, ['--join', token], /\(wrongCluster\)/);
    await other.restart(node);
    expect((await node.api.cluster()).clusterId).toBe(before.clusterId);
  });

  it('goes on with its cluster when --bootstrap is said again', async () => {
    const node = other.node(0);
    const before = await node.api.cluster();
    await node.stop();
    await node.start('up', ['--bootstrap']);
    expect((await node.api.cluster()).clusterId).toBe(before.clusterId);
  });

  it('refuses a data folder that a newer program wrote, and leaves it as it is', async () => {
    const node = other.node(0);
    const format = join(node.dataDir, 'format.json');
    await node.stop();
    const before = await readFile(format, 'utf8');
    const newer = JSON.stringify({ ...(JSON.parse(before) as object), version: 999 });
    await writeFile(format, newer);
    await expectRefused(node, [], /\(wrongVersion\)/);
    expect(await readFile(format, 'utf8')).toBe(newer);
    await writeFile(format, before);
    await other.restart(node);
  });

  it('refuses a second node on the same data folder', async () => {
    const node = other.node(0);
    const { pids } = await node.requireFile();
    const second = other.add();
    Object.defineProperty(second, 'dataDir', { value: node.dataDir });
    await expectRefused(second, ANY_PORT, /another node uses .*\(conflict\)/);
    expect((await node.requireFile()).pids.node).toBe(pids.node);
    expect((await node.api.readiness()).status).toBe(200);
    other.nodes.pop();
  });

  it('says what to do when a folder holds no cluster and no flag tells', async () => {
    await expectRefused(home.add(), ANY_PORT, /--bootstrap|--join/);
    home.nodes.pop();
  });
});
