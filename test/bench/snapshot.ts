import { readFile } from 'node:fs/promises';
import { TestCluster } from '../support/cluster.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { waitUntil } from '../support/wait-until.ts';
import { longestDelayMs } from './event-loop-delay.ts';
import { Figures, formatNumber } from './figures.ts';
import { cutLog, plantJobs } from './planted-data.ts';
import type { Table } from './table.ts';

const JOBS = 1_000_000;
const BYTES_OF_MIB = 2 ** 20;

/** A node joins a cluster of one whose log no longer begins at its beginning; its own log tells what came and when. */
export const snapshot: Table = {
  name: 'snapshot',
  heading: 'Snapshot to a node that joins',
  columns: ['state', 'size', 'transfer', 'then in its place', "leader's longest event-loop delay", "joiner's"],
  async measure(run) {
    const figures = new Figures();
    const count = run.scaled(JOBS);
    run.tell(`snapshot: ${formatNumber(count)} finished jobs`);
    const cluster = await TestCluster.start({ size: 1 });
    try {
      const leader = cluster.node(0);
      await leader.stop();
      await plantJobs(leader.dataDir, count, 'succeeded');
      await cutLog(leader.dataDir);
      await cluster.restart(leader);
      for (let round = 1; round <= run.rounds; round += 1) await measureJoin(cluster, leader, figures);
    } catch (error) {
      run.tell(cluster.logTails());
      throw error;
    } finally {
      cluster.end();
      run.removeAtTheEnd({ remove: () => cluster.removeFolder() });
    }
    return [rowOf(figures, count)];
  },
};

async function measureJoin(cluster: TestCluster, leader: NodeProcess, figures: Figures): Promise<void> {
  await longestDelayMs(leader.api);
  const node = await cluster.join();
  const received = await loggedBy(node, 'received a snapshot');
  const installed = await loggedBy(node, 'a snapshot took the place of the state');
  const mib = Number(received['bytes']) / BYTES_OF_MIB;
  figures.record('mib', mib);
  figures.record('rate', (mib / Number(received['ms'])) * 1000);
  figures.record('installed', Number(installed['ms']) / 1000);
  figures.record('leader', await longestDelayMs(leader.api));
  figures.record('joiner', await longestDelayMs(node.api));
}

function loggedBy(node: NodeProcess, message: string): Promise<Record<string, unknown>> {
  return waitUntil(`${node.name} to log "${message}"`, async () => {
    const line = (await readFile(node.logPath, 'utf8')).split('\n').find((text) => text.includes(`"${message}"`));
    return line === undefined ? null : (JSON.parse(line) as Record<string, unknown>);
  });
}

function rowOf(figures: Figures, count: number): readonly string[] {
  return [
    `${formatNumber(count)} finished jobs`,
    `${figures.tell('mib')} MiB`,
    `${figures.tell('rate', 1)} MiB/s`,
    `${figures.tell('installed', 2)} s`,
    `${figures.tell('leader')} ms`,
    `${figures.tell('joiner')} ms`,
  ];
}
