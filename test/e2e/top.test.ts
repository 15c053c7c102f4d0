import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../../node/cli/top/snapshot.ts';
import { runQuorate } from '../support/command-line.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

describe('quorate top on three nodes', () => {
  const cluster = useCluster({ size: 3 });

  async function top(...args: readonly string[]): Promise<string> {
    const files = await Promise.all([0, 1, 2].map((i) => cluster().node(i).requireFile()));
    const env = {
      QUORATE_URL: files.map(({ http }) => `http://${http}`).join(','),
      QUORATE_TOKEN: await cluster().adminToken(),
    };
    const { code, stdout, stderr } = await runQuorate(['top', '--once', '--interval', '200ms', ...args], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  }

  const look = async () => JSON.parse(await top('--json')) as Snapshot;

  it('shows members, runners and the same totals at every node', async () => {
    for (const i of [0, 1, 2]) {
      const { id } = await cluster()
        .node(i)
        .api.submit({ command: ['true'] });
      await cluster().node(i).api.waitFinal(id);
    }
    const seen = await look();
    expect(seen.cluster?.members.map(({ health, role }) => [health, role])).toEqual(Array(3).fill(['alive', 'voter']));
    expect(seen.runners).toHaveLength(3);
    expect(seen.stats.totals).toMatchObject({ submitted: 3, started: 3, ended: { succeeded: 3 } });
    const told = await waitUntil('every node to have applied the same', async () => {
      const stats = await Promise.all(
        [0, 1, 2].map(async (i) => (await cluster().node(i).api.http.get('/v1/stats')).json<Snapshot['stats']>()),
      );
      return new Set(stats.map(({ totals }) => JSON.stringify(totals))).size === 1 ? stats : null;
    });
    expect(told[0]?.totals).toEqual(seen.stats.totals);
  });

  it('goes on at another node when one is gone, and shows which, also when none leads any more', async () => {
    const gone = (await cluster().node(0).requireFile()).nodeId;
    await cluster().node(0).killMachine();
    await waitUntil('the dead member to be shown', async () => {
      const { cluster: view } = await look();
      return view?.members.find(({ id }) => id === gone)?.health === 'unreachable' ? view : null;
    });
    await cluster().node(1).killMachine();
    const frame = await waitUntil('the loss of the leader to be shown', async () => {
      const text = await top();
      return text.includes('no leader') ? text : null;
    });
    expect(frame).toMatch(/\(quorumLost\)[^]*unreachable[^]*RUNNER[^]*QUEUE/);
  });
});
