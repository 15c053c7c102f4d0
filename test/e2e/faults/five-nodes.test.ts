import { expect, it } from 'vitest';
import { partition } from '../../support/lab/links.ts';
import { describeFaults, useFaultCluster } from '../../support/lab/use-fault-cluster.ts';
import { expectStatus } from '../../support/node-api.ts';
import type { NodeProcess } from '../../support/node-process.ts';
import { waitUntil } from '../../support/wait-until.ts';

describeFaults('five nodes', () => {
  const faults = useFaultCluster({ size: 5 });

  it('serve at the side of the majority when the leader is on the other', async () => {
    const { cluster, lab, hostOf } = faults();
    await faults().run('leader in the minority', async (run) => {
      const leader = await cluster.leader();
      const [companion, ...majority] = await cluster.followers();
      const minority = [leader, companion as NodeProcess];
      const since = performance.now();
      partition(lab.hosts, [minority.map(hostOf), majority.map(hostOf)]);
      await run.servesAgain(since, 'the leader lost its majority', majority);
      await run.last(since);
    });
  });

  it('serve while one node alone holds two halves together', async () => {
    const { cluster, lab, hostOf } = faults();
    await faults().run('bridge', async (run) => {
      const leader = await cluster.leader();
      const [a, bridge, c, d] = (await cluster.followers()).map(hostOf);
      if (!a || !bridge || !c || !d) throw new Error('not five nodes');
      const since = performance.now();
      partition(lab.hosts, [
        [hostOf(leader), a, bridge],
        [bridge, c, d],
      ]);
      await run.servesAgain(since, 'one node became the bridge');
      await run.last(since);
    });
  });

  it('serve while each reaches its two neighbours only', async () => {
    const { lab } = faults();
    await faults().run('ring', async (run) => {
      const { hosts } = lab;
      const since = performance.now();
      partition(
        hosts,
        hosts.map((host, index) => [host, hosts[(index + 1) % hosts.length] ?? host]),
      );
      await run.servesAgain(since, 'the ring was closed');
      await run.last(since);
    });
  });

  it('serve without two of them, the leader among these', async () => {
    const { cluster } = faults();
    await faults().run('two killed', async (run) => {
      const leader = await cluster.leader();
      const [other] = await cluster.followers();
      const killed = [leader, other as NodeProcess];
      const since = performance.now();
      await Promise.all(killed.map((node) => node.killNode()));
      await run.servesAgain(since, 'two were killed');
      await run.last(since);
      await Promise.all(killed.map((node) => cluster.restart(node)));
    });
  });

  it('serve while members come and go, the leader among them', async () => {
    const { cluster } = faults();
    await faults().run('members come and go', async (run) => {
      const joiner = await cluster.join();
      await run.use(joiner);
      const [follower] = await cluster.followers();
      await remove(follower as NodeProcess, joiner);
      const leader = await cluster.leader();
      const since = performance.now();
      await remove(leader, joiner === leader ? cluster.node(0) : joiner);
      await run.servesAgain(since, 'the leader was removed');

      async function remove(node: NodeProcess, by: NodeProcess): Promise<void> {
        const { nodeId } = await node.requireFile();
        run.forget(node);
        await waitUntil(`${node.name} to be removed`, async () => {
          const answer = await by.api.http.send('DELETE', `/v1/cluster/members/${nodeId}`, {});
          if (answer.status === 503) return null;
          expectStatus(answer, 200, 404);
          return true;
        });
        await node.killMachine();
        cluster.nodes.splice(cluster.nodes.indexOf(node), 1);
      }
    });
    expect(cluster.nodes).toHaveLength(4);
  });
});
