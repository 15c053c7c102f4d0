import { describe, expect, it } from 'vitest';
import { expectStatus } from '../support/node-api.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

describe('a voter that was away while the members changed', () => {
  const cluster = useCluster({ size: 3 });

  it('finds the leader that it never heard of', async () => {
    const [gone, witness, away] = [cluster().node(0), cluster().node(1), cluster().node(2)];
    const goneId = await idOf(gone);
    const awayId = await idOf(away);
    await away.killMachine();
    const joiner = await cluster().join();
    const joinerId = await idOf(joiner);
    await promote(witness, joinerId);
    await lead(witness, joinerId);
    expectStatus(await witness.api.http.send('DELETE', `/v1/cluster/members/${goneId}`, {}), 200);
    await gone.killMachine();
    const { id } = await joiner.api.submit({ command: ['true'] });

    await cluster().restart(away);
    const members = await waitUntil('the node that was away to know the members', async () => {
      const view = await away.api.cluster();
      const ids = view.members.map((member) => member.id);
      return view.leader !== null && ids.includes(joinerId) && !ids.includes(goneId) ? ids : null;
    });
    expect(members.toSorted()).toEqual([await idOf(witness), awayId, joinerId].toSorted());
    expect((await away.api.waitFinal(id)).state).toBe('succeeded');
  });

  async function idOf(node: NodeProcess): Promise<string> {
    return (await node.requireFile()).nodeId;
  }

  async function promote(by: NodeProcess, id: string): Promise<void> {
    await waitUntil('the joiner to vote', async () => {
      const answer = await by.api.http.post('/v1/cluster/members', { id, role: 'voter' });
      return answer.status === 200 ? true : null;
    });
  }

  async function lead(by: NodeProcess, to: string): Promise<void> {
    await waitUntil('the joiner to lead', async () => {
      if ((await by.api.cluster()).leader === to) return true;
      await by.api.http.post('/v1/cluster/transfer', { to });
      return null;
    });
  }
});
