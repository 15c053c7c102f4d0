import { describe, expect, it } from 'vitest';
import type { ClusterView, InvitationView } from '../../src/api/views.ts';
import type { TestCluster } from '../support/cluster.ts';
import { expectStatus } from '../support/node-api.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

const ANY_PORT = ['--http', '127.0.0.1:0', '--p2p', '127.0.0.1:0', '--grpc', '127.0.0.1:0'];

async function idOf(node: NodeProcess): Promise<string> {
  return (await node.requireFile()).nodeId;
}

async function read(node: NodeProcess): Promise<ClusterView> {
  return expectStatus(await node.api.http.get('/v1/cluster'), 200).json<ClusterView>();
}

async function set(node: NodeProcess, settings: object): Promise<ClusterView> {
  return expectStatus(
    await node.api.http.send('PUT', '/v1/cluster/settings', { body: JSON.stringify(settings) }),
    200,
  ).json();
}

function rolesOf({ members }: ClusterView): Readonly<Record<string, string>> {
  return Object.fromEntries(members.map(({ id, role }) => [id, role]));
}

async function voters(node: NodeProcess, count: number): Promise<ClusterView> {
  return waitUntil(`${count} voters`, async () => {
    const view = await read(node);
    return view.members.filter(({ role }) => role === 'voter').length === count ? view : null;
  });
}

async function expectRemoved(node: NodeProcess): Promise<void> {
  expect(await node.ended()).toEqual({ code: 4, signal: null });
  expect(node.logTail()).toContain('(memberRemoved)');
  expect(node.logTail()).toMatch(/next: join as a new node/);
}

/** Submits a short job at one running node after another until it is told to stop. */
class Submitting {
  readonly acknowledged: string[] = [];
  readonly #cluster: TestCluster;
  readonly #done: Promise<void>;
  readonly #stopped = new AbortController();

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#done = this.#run();
  }

  async stop(): Promise<readonly string[]> {
    this.#stopped.abort();
    await this.#done;
    return this.acknowledged;
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#stopped.signal.aborted; turn += 1) {
      const node = this.#cluster.nodes[turn % this.#cluster.nodes.length];
      // A node that is not up yet, or that was removed, acknowledges nothing.
      await this.#submit(node).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #submit(node: NodeProcess | undefined): Promise<void> {
    if (node?.running !== true) return;
    const answer = await node.api.http.post('/v1/jobs', { command: ['true'] }, { timeoutMs: 20_000 });
    if (answer.status === 201) this.acknowledged.push(answer.json<{ id: string }>().id);
  }
}

describe('a cluster that grows from one to five and shrinks to three while jobs come in', () => {
  const cluster = useCluster({ size: 1 });

  it('promotes by itself, hands over, removes even its leader, and loses no job', { timeout: 300_000 }, async () => {
    const first = cluster().node(0);
    const submitting = new Submitting(cluster());
    await cluster().join();
    const invited = await first.api.http.post('/v1/cluster/members', {});
    const { token, command } = expectStatus(invited, 201).json<InvitationView>();
    expect(command).toBe(`quorate up --join ${token}`);
    await cluster().join(token);
    expect((await voters(first, 3)).faultTolerance).toBe(1);

    expect((await set(first, { voters: 5 })).settings).toEqual({ voters: 5, replaceDeadAfter: 'automatic' });
    await cluster().join();
    await cluster().join();
    const five = await voters(first, 5);
    expect(five).toMatchObject({ faultTolerance: 2, warnings: [] });
    for (const member of five.members) {
      expect(member).toMatchObject({ health: 'alive', appliedIndex: expect.any(Number), lag: expect.any(Number) });
      expect(member.lastSeen).not.toBe(null);
    }

    const [leader, follower, next] = await leaderAndOthers();
    const nextId = await idOf(next);
    const handed = expectStatus(await follower.api.http.post('/v1/cluster/transfer', { to: nextId }), 200);
    expect(handed.json<ClusterView>().leader).toBe(nextId);

    // Each is asked about itself: the leader, and one that follows.
    for (const leaving of [next, follower]) {
      const path = `/v1/cluster/members/${await idOf(leaving)}`;
      expectStatus(await leaving.api.http.send('DELETE', path, {}), 200);
      await expectRemoved(leaving);
    }
    const three = await voters(leader, 3);
    expect(rolesOf(three)).not.toHaveProperty(nextId);
    const runners = (await leader.api.runners()).map(({ id }) => id);
    expect(runners.toSorted()).toEqual(three.members.map(({ id }) => id).toSorted());

    const ids = await submitting.stop();
    expect(ids.length).toBeGreaterThan(20);
    for (const id of ids) expect((await leader.api.waitFinal(id)).state).toBe('succeeded');

    await next.launch('up', []);
    await expectRemoved(next);
    await next.launch('up', ['--join', token, ...ANY_PORT]);
    await expectRemoved(next);
  });

  async function leaderAndOthers(): Promise<readonly [NodeProcess, NodeProcess, NodeProcess]> {
    const leader = await cluster().leader();
    const [follower, next] = cluster().nodes.filter((node) => node !== leader && node !== cluster().node(0));
    return [leader, follower!, next!];
  }
});

describe('a cluster of three that lost a voter', () => {
  const cluster = useCluster({ size: 3 });

  it(
    'warns, refuses what would stop it, and replaces the dead one when it is told to',
    { timeout: 300_000 },
    async () => {
      const leader = await cluster().leader();
      const [alive, dead] = await cluster().followers();
      const [aliveId, deadId] = [await idOf(alive!), await idOf(dead!)];
      await dead!.killMachine();
      const warned = await waitUntil('a warning', async () => {
        const view = await read(leader);
        return view.faultTolerance === 0 ? view : null;
      });
      expect(warned.warnings.map(({ code, member }) => [code, member])).toEqual([
        ['quorumAtRisk', null],
        ['voterUnreachable', deadId],
      ]);
      expect((await leader.api.http.get('/metrics')).text).toMatch(/^quorate_cluster_fault_tolerance 0$/m);
      await waitUntil('the warning in the log', () => (leader.logTail().includes('quorumAtRisk') ? true : null));

      const refused = await alive!.api.http.send('DELETE', `/v1/cluster/members/${aliveId}`, {});
      expect(refused).toMatchObject({ status: 409 });
      expect(refused.json()).toMatchObject({ code: 'quorumAtRisk' });
      const transfer = await leader.api.http.post('/v1/cluster/transfer', { to: deadId });
      expect(transfer.json()).toMatchObject({ code: 'memberUnreachable' });

      const joiner = await cluster().join();
      const joinerId = await idOf(joiner);
      expect(rolesOf(await read(leader))).toMatchObject({ [deadId]: 'voter', [joinerId]: 'learner' });
      await set(leader, { replaceDeadAfter: '1s' });
      await waitUntil('the dead voter to be replaced', async () => {
        const roles = rolesOf(await read(leader));
        return roles[deadId] === 'learner' && roles[joinerId] === 'voter' ? true : null;
      });

      await cluster().restart(dead!);
      await waitUntil('the one that came back to be alive', async () => {
        const { members } = await read(leader);
        return members.find(({ id }) => id === deadId)?.health === 'alive' ? true : null;
      });
      expect(rolesOf(await read(leader))[deadId]).toBe('learner');
    },
  );

  it(
    'tells a member that was removed while it was away, and keeps a demoted one from voting',
    { timeout: 300_000 },
    async () => {
      const leader = await cluster().leader();
      const { members } = await read(leader);
      const learnerId = members.find(({ role }) => role === 'learner')!.id;
      const away = await nodeOf(learnerId);
      await away.killMachine();
      expectStatus(await leader.api.http.send('DELETE', `/v1/cluster/members/${learnerId}`, {}), 200);
      await away.launch('up', []);
      await expectRemoved(away);

      const voter = (await cluster().followers()).find((node) => node !== away)!;
      const voterId = await idOf(voter);
      const body = { id: voterId, role: 'learner' };
      expectStatus(await voter.api.http.post('/v1/cluster/members', body), 200);
      // The leader looks every half second: it has looked more than once by then.
      await new Promise((resolve) => setTimeout(resolve, 1_600));
      expect(rolesOf(await read(leader))[voterId]).toBe('learner');
      expectStatus(await leader.api.http.post('/v1/cluster/members', { id: voterId, role: 'automatic' }), 200);
      await waitUntil('it to vote again', async () => (rolesOf(await read(leader))[voterId] === 'voter' ? true : null));
    },
  );

  async function nodeOf(id: string): Promise<NodeProcess> {
    for (const node of cluster().nodes) if ((await idOf(node)) === id) return node;
    throw new Error(`no node is ${id}`);
  }
});
