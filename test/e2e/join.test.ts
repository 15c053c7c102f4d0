import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CreatedJoinToken } from '../../src/api/views.ts';
import { TestCluster } from '../support/cluster.ts';
import { expectStatus } from '../support/node-api.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

const ANY_PORT = ['--http', '127.0.0.1:0', '--p2p', '127.0.0.1:0', '--grpc', '127.0.0.1:0'];

async function joinToken(
  cluster: TestCluster,
  limits: { readonly uses: number; readonly ttl: string },
): Promise<string> {
  const answer = await cluster.node(0).api.http.post('/v1/tokens/join', limits);
  return expectStatus(answer, 201).json<CreatedJoinToken>().token;
}

async function expectRefused(node: NodeProcess, token: string, message: RegExp): Promise<void> {
  await node.launch('up', ['--join', token, ...ANY_PORT]);
  const { code } = await node.ended();
  expect(code, node.logTail()).not.toBe(0);
  expect(node.logTail()).toMatch(message);
}

describe('joining', () => {
  const cluster = useCluster({ size: 1 });
  let extra: NodeProcess | null = null;

  afterEach(() => extra?.destroy());

  it('refuses a token that was used as often as it may be', async () => {
    const token = await joinToken(cluster(), { uses: 1, ttl: '1h' });
    await cluster().join(token);
    extra = cluster().add();
    await expectRefused(extra, token, /\(tokenUsedUp\)/);
    cluster().nodes.pop();
  });

  it('refuses a token that has expired', async () => {
    const token = await joinToken(cluster(), { uses: 1, ttl: '1s' });
    extra = cluster().add();
    await waitUntil(
      'the token to expire',
      () => new Promise<true>((resolve) => setTimeout(() => resolve(true), 2_500)),
    );
    await expectRefused(extra, token, /\(tokenExpired\)/);
    cluster().nodes.pop();
  });

  it('refuses what is no token at all', async () => {
    extra = cluster().add();
    await expectRefused(extra, 'not-a-token', /join/i);
    cluster().nodes.pop();
  });

  it('makes a node a voter that comes back with nothing but its data folder', async () => {
    const node = cluster().nodes.at(-1)!;
    const { nodeId } = await node.requireFile();
    await waitUntil('the joiner to vote', async () => {
      const { members } = await node.api.cluster();
      return members.find((member) => member.id === nodeId)?.role === 'voter' ? true : null;
    });
    await node.stop();
    await cluster().restart(node);
    expect((await node.requireFile()).nodeId).toBe(nodeId);
    expect((await node.api.cluster()).clusterId).toBe((await cluster().node(0).api.cluster()).clusterId);
  });

  it('leaves the cluster as it was after all refusals', async () => {
    const { members } = await cluster().node(0).api.cluster();
    expect(members).toHaveLength(cluster().nodes.length);
  });
});

describe('a node with the key of another cluster', () => {
  let older: TestCluster;
  let newer: TestCluster;

  beforeAll(async () => {
    older = await TestCluster.start({ size: 1 });
    newer = await TestCluster.start({ size: 0 });
  });

  afterAll(async () => {
    await older.close();
    await newer.close();
  });

  it('is told so', async () => {
    const token = await older.node(0).readSecret('join.token');
    const { p2p } = await older.node(0).requireFile();
    await older.node(0).stop();
    const other = newer.add();
    await other.start('up', ['--bootstrap', ...ANY_PORT, '--p2p', p2p]);

    const stranger = newer.add();
    await stranger.launch('up', ['--join', token, ...ANY_PORT]);
    const { code } = await stranger.ended();
    expect(code).not.toBe(0);
    expect(stranger.logTail()).toMatch(/key/i);
  });
});
