import { Figures } from './figures.ts';
import { type ReplicaPeer, startReplicas } from './replica-peer.ts';
import type { BenchRun, Table } from './table.ts';

const SIZES = [1, 16, 128, 1024] as const;
const CLIENTS_OF_BATCHES = 16;
const CELL_MS = 1_500;
const WARM_UP_MS = 1_500;

const PLACES = [
  { place: 'one', heading: 'one node' },
  { place: 'leader', heading: 'three nodes, at the leader' },
  { place: 'follower', heading: 'three nodes, at a follower' },
] as const;
type Place = (typeof PLACES)[number]['place'];

interface Cell {
  readonly clients: number;
  readonly commands: number;
}

const CELLS: readonly Cell[] = [
  ...SIZES.map((clients) => ({ clients, commands: 1 })),
  ...SIZES.slice(1).map((commands) => ({ clients: CLIENTS_OF_BATCHES, commands })),
];

/**
 * The replica's propose path: real log, real state, real libp2p, each replica in a process of its own; the clients are
 * in the process that they propose at. No HTTP and no jobs: what they add is in the table of jobs.
 */
export const consensus: Table = {
  name: 'consensus',
  heading: 'Proposals',
  columns: ['clients', 'commands each', ...PLACES.map(({ heading }) => heading)],
  async measure(run) {
    const figures = new Figures();
    for (let round = 1; round <= run.rounds; round += 1) {
      run.tell(`consensus, round ${round}: one node`);
      await measureCluster(run, 1, (cluster) => measurePlace(run, figures, 'one', cluster.leader));
      run.tell(`consensus, round ${round}: three nodes`);
      await measureCluster(run, 3, async ({ leader, followers }) => {
        await measurePlace(run, figures, 'leader', leader);
        for (const follower of followers.slice(0, 1)) await measurePlace(run, figures, 'follower', follower);
      });
    }
    return CELLS.map((cell) => rowOf(figures, cell));
  },
};

async function measureCluster(
  run: BenchRun,
  size: number,
  measure: (cluster: Awaited<ReturnType<typeof startReplicas>>) => Promise<void>,
): Promise<void> {
  const cluster = await startReplicas(run, size);
  try {
    await measure(cluster);
  } finally {
    cluster.end();
  }
}

async function measurePlace(run: BenchRun, figures: Figures, place: Place, peer: ReplicaPeer): Promise<void> {
  await peer.propose({ clients: 64, commands: 4, ms: run.scaled(WARM_UP_MS) });
  for (const cell of CELLS) {
    const load = await peer.propose({ ...cell, ms: run.scaled(CELL_MS) });
    const name = nameOf(place, cell);
    figures.record(`${name} rate`, load.proposalsPerSecond);
    figures.record(`${name} p50`, load.p50Ms);
    figures.record(`${name} p99`, load.p99Ms);
    figures.record(`${name} delay`, load.delayMs);
  }
}

function nameOf(place: Place, { clients, commands }: Cell): string {
  return `${place} ${clients} ${commands}`;
}

function rowOf(figures: Figures, cell: Cell): readonly string[] {
  const cells = PLACES.map(({ place }) => {
    const name = nameOf(place, cell);
    const spread = `p50 ${figures.tell(`${name} p50`, 2)} ms, p99 ${figures.tell(`${name} p99`, 2)} ms`;
    return `${figures.tell(`${name} rate`)}/s, ${spread}, loop ≤ ${figures.tell(`${name} delay`)} ms`;
  });
  return [`${cell.clients}`, `${cell.commands}`, ...cells];
}
