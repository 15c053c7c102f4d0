import { it } from 'vitest';
import { delay, lose, narrow } from '../../support/lab/links.ts';
import { lacksLink } from '../../support/lab/requirements.ts';
import { describeFaults, useFaultCluster, type FaultCluster } from '../../support/lab/use-fault-cluster.ts';

describeFaults('three nodes on a bad network', () => {
  const faults = useFaultCluster({ size: 3 });

  describeFaults(
    'that loses packets',
    () => it('serve', () => serveUnder(faults(), 'loss', lose)),
    lacksLink('loss', lose),
  );

  describeFaults(
    'that is narrow',
    () => it('serve', () => serveUnder(faults(), 'narrow', narrow)),
    lacksLink('narrow links', narrow),
  );

  describeFaults(
    'that is late and loses packets',
    () => it('serve', () => serveUnder(faults(), 'netem', delay)),
    lacksLink('netem', delay),
  );
});

async function serveUnder(faults: FaultCluster, name: string, treat: typeof lose): Promise<void> {
  await faults.run(name, async (run) => {
    const since = performance.now();
    for (const host of faults.lab.hosts) treat(host);
    await run.last(since);
    await run.servesAgain(performance.now(), 'the network had been bad for a while');
    await run.everyNodeServes(since);
  });
}
