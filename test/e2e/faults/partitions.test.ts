import { it } from 'vitest';
import { cutOneWay, partition } from '../../support/lab/links.ts';
import { describeFaults, useFaultCluster } from '../../support/lab/use-fault-cluster.ts';

describeFaults('three nodes whose network falls apart', () => {
  const faults = useFaultCluster({ size: 3 });

  it('elect another leader when the one they have is cut off', async () => {
    const { cluster, lab, hostOf } = faults();
    await faults().run('leader cut off', async (run) => {
      const others = await cluster.followers();
      const since = performance.now();
      partition(lab.hosts, [others.map(hostOf)]);
      await run.servesAgain(since, 'the leader was cut off', others);
      await run.last(since);
    });
  });

  it('go on without a follower that is cut off', async () => {
    const { cluster, lab, hostOf } = faults();
    await faults().run('follower cut off', async (run) => {
      const [lone] = await cluster.followers();
      const rest = cluster.nodes.filter((node) => node !== lone);
      const since = performance.now();
      partition(lab.hosts, [rest.map(hostOf)]);
      await run.servesAgain(since, 'a follower was cut off', rest);
      await run.last(since);
    });
  });

  it('elect another leader when theirs can send and hears nobody', async () => {
    const { cluster, hostOf } = faults();
    await faults().run('deaf leader', async (run) => {
      const leader = await cluster.leader();
      const others = await cluster.followers();
      const since = performance.now();
      for (const other of others) cutOneWay(hostOf(other), hostOf(leader));
      await run.servesAgain(since, 'the leader went deaf', others);
      await run.last(since);
    });
  });

  it('elect another leader when theirs hears everybody and cannot send', async () => {
    const { cluster, hostOf } = faults();
    await faults().run('mute leader', async (run) => {
      const leader = await cluster.leader();
      const others = await cluster.followers();
      const since = performance.now();
      for (const other of others) cutOneWay(hostOf(leader), hostOf(other));
      await run.servesAgain(since, 'the leader went mute', others);
      await run.last(since);
    });
  });

  it('keep their leader when a follower hears nobody', async () => {
    const { cluster, hostOf } = faults();
    await faults().run('deaf follower', async (run) => {
      const [deaf] = await cluster.followers();
      const others = cluster.nodes.filter((node) => node !== deaf);
      const since = performance.now();
      for (const other of others) if (deaf) cutOneWay(hostOf(other), hostOf(deaf));
      await run.servesAgain(since, 'a follower went deaf', others);
      await run.last(since);
    });
  });

  it('acknowledge nothing while nobody reaches anybody, and everything after', async () => {
    const { lab } = faults();
    await faults().run('all apart', async (run) => {
      const since = performance.now();
      partition(lab.hosts, []);
      await run.last(since);
    });
  });
});
