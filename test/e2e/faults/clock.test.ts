import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { FAKE_CLOCK_LIBRARY, lacksFakeClock } from '../../support/lab/requirements.ts';
import { describeFaults, useFaultCluster } from '../../support/lab/use-fault-cluster.ts';
import type { NodeProcess } from '../../support/node-process.ts';
import { makeTempFolder } from '../../support/temp-folder.ts';

const clocks = await makeTempFolder('clocks');

afterAll(() => clocks.remove());

describeFaults(
  'three nodes whose clocks jump',
  () => {
    const faults = useFaultCluster({ size: 3, env: fakeClock });

    it('serve when the clock of the leader jumps ahead and back', async () => {
      const { cluster } = faults();
      await faults().run("the leader's clock jumps", async (run) => {
        const leader = await cluster.leader();
        for (const offset of ['+3600', '-1800', '+0']) {
          const since = performance.now();
          setClock(leader.name, offset);
          await run.last(since, 2_000);
          await run.servesAgain(performance.now(), `a jump to ${offset} s`);
          if (offset === '+3600') await expectFuture(leader);
        }
      });
    });

    it('serve when the clocks of all differ, and the leader changes', async () => {
      const { cluster } = faults();
      await faults().run('all clocks differ', async (run) => {
        const since = performance.now();
        for (const [index, { name }] of cluster.nodes.entries()) setClock(name, `${(index - 1) * 7200}`);
        await run.last(since, 2_000);
        for (const node of cluster.nodes) {
          await cluster.transferTo(node);
          await run.servesAgain(performance.now(), `${node.name} took the lead`);
        }
        for (const { name } of cluster.nodes) setClock(name, '+0');
      });
    });

    it('start with a clock that was set back by an hour', async () => {
      const { cluster } = faults();
      await faults().run('restart an hour before', async (run) => {
        const leader = await cluster.leader();
        await leader.killNode();
        setClock(leader.name, '-3600');
        await cluster.restart(leader);
        await cluster.transferTo(leader);
        await run.servesAgain(performance.now(), 'it leads with the old time');
        setClock(leader.name, '+0');
      });
    });
  },
  lacksFakeClock,
);

/** That the clock jumped at all, as it shows in what the leader stamps. */
async function expectFuture(leader: NodeProcess): Promise<void> {
  const { submittedAt } = await leader.api.submit({ command: ['true'] });
  expect(Date.parse(submittedAt)).toBeGreaterThan(Date.now() + 3_000_000);
}

function clockFile(name: string): string {
  return join(clocks.path, name);
}

/** @param offset from the true time, in seconds, with its sign */
function setClock(name: NodeProcess['name'], offset: string): void {
  writeFileSync(clockFile(name), `${/^[+-]/.test(offset) ? '' : '+'}${offset}\n`);
}

/** The wall clock only: what measures time must not jump, and does not on a machine whose clock is set. */
function fakeClock(name: string): Readonly<Record<string, string>> {
  setClock(name, '+0');
  return {
    LD_PRELOAD: FAKE_CLOCK_LIBRARY ?? '',
    FAKETIME_TIMESTAMP_FILE: clockFile(name),
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}
