import { TestCluster } from '../support/cluster.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { longestDelayMs } from './event-loop-delay.ts';
import { Figures } from './figures.ts';
import { GeneratorProcess } from './generator-process.ts';
import type { LoadOrder } from './load.ts';
import { jobsPerSecond, xargsPerSecond } from './processes-per-second.ts';
import type { Target } from './raw-connection.ts';
import type { BenchRun, Table } from './table.ts';

/** Submissions alone: the jobs wait for a date that does not come, so that no process takes part. */
const WAITING = JSON.stringify({ command: ['true'], notBefore: '2099-01-01T00:00:00Z' });
const TRUE = JSON.stringify({ command: ['true'] });

const COUNTS = { oneByOne: 1_000, clients: 20_000, batch: 50_000, roundTrip: 300, processes: 2_000, warmUp: 2_000 };

type Size = 1 | 3;
type Row = readonly [what: string, figure: string, delay: string, aim: string];

/** Clusters of one and of three, through the HTTP API. What is compared is measured in the same round. */
export const jobs: Table = {
  name: 'jobs',
  heading: 'Jobs',
  columns: ['what', 'measured', 'longest event-loop delay', 'aim'],
  async measure(run) {
    const figures = new Figures();
    for (let round = 1; round <= run.rounds; round += 1) {
      for (const size of [1, 3] as const) {
        run.tell(`jobs, round ${round}: ${size === 1 ? 'one node' : 'three nodes'}`);
        await measureCluster(run, figures, size, round);
      }
    }
    return rowsOf(figures);
  },
};

async function measureCluster(run: BenchRun, figures: Figures, size: Size, round: number): Promise<void> {
  const generator = new GeneratorProcess();
  const cluster = await TestCluster.start({ size });
  try {
    const node = size === 1 ? cluster.node(0) : (await cluster.followers())[0];
    if (node === undefined) throw new Error('no follower');
    await measureLoads(run, figures, { size, node, generator, token: await cluster.adminToken() });
    if (size === 1) await measureProcesses(run, figures, node, round);
  } catch (error) {
    run.tell(cluster.logTails());
    throw error;
  } finally {
    generator.close();
    cluster.end();
    run.removeAtTheEnd({ remove: () => cluster.removeFolder() });
  }
}

interface Subject {
  readonly size: Size;
  readonly node: NodeProcess;
  readonly generator: GeneratorProcess;
  readonly token: string;
}

async function measureLoads(run: BenchRun, figures: Figures, { size, node, generator, token }: Subject): Promise<void> {
  const target = await targetOf(node, token);
  await generator.run({ kind: 'submit', target, clients: 16, count: run.scaled(COUNTS.warmUp), spec: WAITING });
  await generator.run({ kind: 'roundTrip', target, count: 20, spec: TRUE });

  const measure = async (name: string, order: LoadOrder): Promise<void> => {
    await longestDelayMs(node.api);
    const result = await generator.run(order);
    figures.record(`${size} ${name} perSecond`, result.perSecond);
    figures.record(`${size} ${name} p50`, result.p50Ms);
    figures.record(`${size} ${name} p99`, result.p99Ms);
    figures.record(`${size} ${name} delay`, await longestDelayMs(node.api));
  };
  await measure('roundTrip', { kind: 'roundTrip', target, count: run.scaled(COUNTS.roundTrip), spec: TRUE });
  const waiting = { target, spec: WAITING };
  await measure('oneByOne', { kind: 'submit', ...waiting, clients: 1, count: run.scaled(COUNTS.oneByOne) });
  await measure('clients', { kind: 'submit', ...waiting, clients: 128, count: run.scaled(COUNTS.clients) });
  await measure('batch', { kind: 'batch', ...waiting, count: run.scaled(COUNTS.batch) });
}

async function measureProcesses(run: BenchRun, figures: Figures, node: NodeProcess, round: number): Promise<void> {
  const count = run.scaled(COUNTS.processes);
  const xargs = await xargsPerSecond(count);
  figures.record('xargs', xargs);
  const sizes = { whole: {}, small: { resources: { cpu: 0.25 } } };
  for (const [name, resources] of Object.entries(sizes)) {
    await longestDelayMs(node.api);
    const perSecond = await jobsPerSecond(node.api, count, { command: ['true'], ...resources }, `${name}-${round}`);
    figures.record(name, perSecond);
    figures.record(`${name} ratio`, (perSecond / xargs) * 100);
    figures.record(`${name} delay`, await longestDelayMs(node.api));
  }
}

export async function targetOf(node: NodeProcess, token: string): Promise<Target> {
  const { http } = await node.requireFile();
  const colon = http.lastIndexOf(':');
  return { host: http.slice(0, colon), port: Number(http.slice(colon + 1)), token };
}

const SUBMITS = [
  { name: 'oneByOne', what: 'submit one by one', tells: 'all', digits: 2, aims: { 1: '', 3: 'p50 ≤ 3 ms' } },
  { name: 'clients', what: 'submit, 128 clients', tells: 'all', digits: 1, aims: { 1: '', 3: '≥ 4,000/s' } },
  { name: 'batch', what: 'submit in a batch', tells: 'rate', digits: 0, aims: { 1: '≥ 25,000/s', 3: '≥ 10,000/s' } },
  {
    name: 'roundTrip',
    what: '`true`, from submit to succeeded',
    tells: 'spread',
    digits: 1,
    aims: { 1: 'p50 ≤ 8 ms', 3: 'p50 ≤ 15 ms' },
  },
] as const;

function rowsOf(figures: Figures): readonly Row[] {
  return [
    ...submitRows(figures, 1, 'one node'),
    processRow(figures, 'whole', 'one node: `true` jobs, a whole processor each', ''),
    processRow(figures, 'small', 'one node: `true` jobs, a quarter processor each', '≥ 80 %'),
    ['beside it: `xargs -P2 -n1 /bin/true`', `${figures.tell('xargs')}/s`, '', ''],
    ...submitRows(figures, 3, 'three nodes, at a follower'),
  ];
}

function submitRows(figures: Figures, size: Size, where: string): readonly Row[] {
  return SUBMITS.map(({ name, what, tells, digits, aims }) => {
    const key = `${size} ${name}`;
    const rate = `${figures.tell(`${key} perSecond`)}/s`;
    const spread = `p50 ${figures.tell(`${key} p50`, digits)} ms, p99 ${figures.tell(`${key} p99`, digits)} ms`;
    const figure = { rate, spread, all: `${rate}, ${spread}` }[tells];
    return [`${where}: ${what}`, figure, `${figures.tell(`${key} delay`)} ms`, aims[size]];
  });
}

function processRow(figures: Figures, name: 'whole' | 'small', what: string, aim: string): Row {
  const figure = `${figures.tell(name)}/s, ${figures.tell(`${name} ratio`)} % of xargs`;
  return [what, figure, `${figures.tell(`${name} delay`)} ms`, aim];
}
