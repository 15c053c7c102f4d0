import { it } from 'vitest';
import { describeFaults, useFaultCluster } from '../../support/lab/use-fault-cluster.ts';

const BEYOND_THE_LEASE_MS = 5_000;

describeFaults('three nodes whose processes die and stand still', () => {
  const faults = useFaultCluster({ size: 3 });

  it('go on when the leader is killed, and take it back', async () => {
    const { cluster } = faults();
    await faults().run('leader killed', async (run) => {
      const leader = await cluster.leader();
      const since = performance.now();
      await leader.killNode();
      await run.servesAgain(since, 'the leader was killed');
      await run.last(since);
      await cluster.restart(leader);
    });
  });

  it('have everything after all of them were killed at once', async () => {
    const { cluster } = faults();
    await faults().run('all killed', async (run) => {
      await Promise.all(cluster.nodes.map((node) => node.killNode()));
      const since = performance.now();
      await Promise.all(cluster.nodes.map((node) => cluster.restart(node)));
      await run.servesAgain(since, 'all were started again');
    });
  });

  it('have everything after two of three lost all their processes', async () => {
    const { cluster } = faults();
    await faults().run('majority of machines killed', async (run) => {
      const lost = cluster.nodes.slice(0, 2);
      await Promise.all(lost.map((node) => node.killMachine()));
      const since = performance.now();
      await Promise.all(lost.map((node) => cluster.restart(node)));
      await run.servesAgain(since, 'two machines were started again');
    });
  });

  it('go on when the leader stands still beyond every lease, and are not misled by it when it goes on', async () => {
    const { cluster } = faults();
    await faults().run('leader paused', async (run) => {
      const leader = await cluster.leader();
      const others = await cluster.followers();
      const since = performance.now();
      leader.pause();
      await run.servesAgain(since, 'the leader was stopped', others);
      await run.last(since, BEYOND_THE_LEASE_MS);
      leader.resume();
    });
  });

  it('acknowledge nothing while a majority stands still, and go on with it', async () => {
    const { cluster } = faults();
    await faults().run('followers paused', async (run) => {
      const followers = await cluster.followers();
      for (const node of followers) node.pause();
      await run.last(performance.now());
      const since = performance.now();
      for (const node of followers) node.resume();
      await run.servesAgain(since, 'the followers went on');
    });
  });

  it('serve through a restart of each in turn', async () => {
    const { cluster } = faults();
    await faults().run('rolling restart', async (run) => {
      for (const node of cluster.nodes) {
        const since = performance.now();
        await node.stop();
        await run.servesAgain(since, `${node.name} was told to stop`);
        await cluster.restart(node);
      }
    });
  });
});
