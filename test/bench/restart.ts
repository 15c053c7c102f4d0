import { cp, rm } from 'node:fs/promises';
import { TestCluster } from '../support/cluster.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { residentMiB } from './resident.ts';
import { Figures, formatNumber } from './figures.ts';
import { plantEntries, plantJobs } from './planted-data.ts';
import type { BenchRun, Table } from './table.ts';

interface Case {
  readonly name: string;
  readonly count: number;
  readonly aim: string;
  what(count: string): string;
  plant(dataDir: string, count: number): Promise<void>;
}

const CASES: readonly Case[] = [
  { name: 'nothing', count: 0, aim: '', what: () => 'as it was made', plant: async () => undefined },
  {
    name: 'entries',
    count: 1_000_000,
    aim: '',
    what: (count) => `${count} entries in the log that the state does not hold yet`,
    plant: plantEntries,
  },
  {
    name: 'final',
    count: 1_000_000,
    aim: '≤ 5 s',
    what: (count) => `${count} finished jobs`,
    plant: (dataDir, count) => plantJobs(dataDir, count, 'succeeded'),
  },
  {
    name: 'waiting',
    count: 200_000,
    aim: '',
    what: (count) => `${count} jobs that wait`,
    plant: (dataDir, count) => plantJobs(dataDir, count, 'waiting'),
  },
];

/** From the start of `quorate up` to `/readyz`: the log is read and applied, a leader elected, the runner registered. */
export const restart: Table = {
  name: 'restart',
  heading: 'Restart of one node',
  columns: ['what its folder holds', 'until it is ready', 'resident then', 'aim'],
  async measure(run) {
    const rows: string[][] = [];
    for (const one of CASES) rows.push(await measureCase(run, one));
    return rows;
  },
};

async function measureCase(run: BenchRun, one: Case): Promise<string[]> {
  const figures = new Figures();
  const count = one.count === 0 ? 0 : run.scaled(one.count);
  run.tell(`restart: ${one.what(formatNumber(count))}`);
  const cluster = await TestCluster.start({ size: 1 });
  try {
    const node = cluster.node(0);
    await node.stop();
    node.destroy();
    await one.plant(node.dataDir, count);
    const kept = `${node.dataDir}-planted`;
    await copyFolder(node.dataDir, kept);
    for (let round = 1; round <= run.rounds; round += 1) {
      await measureRestart(cluster, node, figures);
      await node.killMachine();
      await rm(node.dataDir, { recursive: true });
      await copyFolder(kept, node.dataDir);
    }
  } finally {
    cluster.end();
    run.removeAtTheEnd({ remove: () => cluster.removeFolder() });
  }
  const cells = [`${figures.tell('seconds', 2)} s`, `${figures.tell('resident')} MiB`];
  return [one.what(formatNumber(count)), ...cells, one.aim];
}

async function measureRestart(cluster: TestCluster, node: NodeProcess, figures: Figures): Promise<void> {
  const began = performance.now();
  await cluster.restart(node);
  figures.record('seconds', (performance.now() - began) / 1000);
  figures.record('resident', await residentMiB((await node.requireFile()).pids.node));
}

async function copyFolder(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, filter: (path) => !path.endsWith('.sock') });
}
