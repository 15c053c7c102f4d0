import { TestCluster } from '../support/cluster.ts';
import type { NodeApi } from '../support/node-api.ts';
import { Figures } from './figures.ts';
import { type ProcessorTime, processorTimeOf } from './processor-time.ts';
import { jobsPerSecond, rateOfJobs, runJobs, xargsPerSecond } from './processes-per-second.ts';
import type { BenchRun, Table } from './table.ts';

const COUNTS = { processes: 2_000, warmUp: 1_000 };
const SIZES = { quarter: { resources: { cpu: 0.25 } }, whole: {} };
type SizeName = keyof typeof SIZES;

/**
 * What a `true` job costs each process of one node, in processor time: of a machine that has other work too, the only
 * measure that says something.
 */
export const costs: Table = {
  name: 'costs',
  heading: 'What a `true` job costs',
  columns: ['processor time a job', 'a quarter processor each', 'a whole processor each', '`xargs`'],
  async measure(run) {
    const figures = new Figures();
    for (let round = 1; round <= run.rounds; round += 1) {
      run.tell(`costs, round ${round}`);
      await measureRound(run, figures, round);
    }
    return rowsOf(figures);
  },
};

async function measureRound(run: BenchRun, figures: Figures, round: number): Promise<void> {
  const cluster = await TestCluster.start({ size: 1 });
  try {
    const node = cluster.node(0);
    const { pids } = await node.requireFile();
    const runner = pids.runner;
    if (runner === null) throw new Error('the node has no runner');
    await jobsPerSecond(node.api, run.scaled(COUNTS.warmUp), trueJob('quarter'), `warm-up-${round}`);
    const count = run.scaled(COUNTS.processes);
    const xargs = await measureXargs(figures, count);
    for (const size of Object.keys(SIZES) as SizeName[]) {
      const before = await look(node.api, pids.node, runner);
      await runJobs(node.api, count, trueJob(size), `${size}-${round}`);
      const after = await look(node.api, pids.node, runner);
      record(figures, size, before, after, count);
      const perSecond = await rateOfJobs(node.api, count, `${size}-${round}`);
      figures.record(`${size} ratio`, (perSecond / xargs) * 100);
    }
  } finally {
    cluster.end();
    run.removeAtTheEnd({ remove: () => cluster.removeFolder() });
  }
}

async function measureXargs(figures: Figures, count: number): Promise<number> {
  const before = await processorTimeOf(process.pid);
  const perSecond = await xargsPerSecond(count);
  const after = await processorTimeOf(process.pid);
  figures.record('xargs together', (after.childrenMs - before.childrenMs) / count);
  return perSecond;
}

function trueJob(size: SizeName): object {
  return { command: ['true'], ...SIZES[size] };
}

interface Look {
  readonly node: ProcessorTime;
  readonly runner: ProcessorTime;
  readonly entries: number;
  readonly syncs: number;
}

async function look(api: NodeApi, node: number, runner: number): Promise<Look> {
  const { text } = await api.http.get('/metrics');
  return {
    node: await processorTimeOf(node),
    runner: await processorTimeOf(runner),
    entries: metric(text, 'quorate_log_entries_total'),
    syncs: metric(text, 'quorate_log_sync_seconds_count'),
  };
}

function metric(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

function record(figures: Figures, size: SizeName, before: Look, after: Look, count: number): void {
  const node = (after.node.ownMs - before.node.ownMs) / count;
  const runner = (after.runner.ownMs - before.runner.ownMs) / count;
  const process = (after.runner.childrenMs - before.runner.childrenMs) / count;
  figures.record(`${size} node`, node);
  figures.record(`${size} runner`, runner);
  figures.record(`${size} process`, process);
  figures.record(`${size} together`, node + runner + process);
  figures.record(`${size} entries`, (after.entries - before.entries) / count);
  figures.record(`${size} syncs`, (after.syncs - before.syncs) / count);
}

function rowsOf(figures: Figures): readonly (readonly string[])[] {
  const time = (name: string): string => `${figures.tell(name, 3)} ms`;
  const both = (of: (size: SizeName) => string): string[] => [of('quarter'), of('whole')];
  return [
    ['node', ...both((size) => time(`${size} node`)), ''],
    ['runner', ...both((size) => time(`${size} runner`)), ''],
    ['the process itself', ...both((size) => time(`${size} process`)), ''],
    ['together', ...both((size) => time(`${size} together`)), time('xargs together')],
    ['entries of the log', ...both((size) => figures.tell(`${size} entries`, 2)), ''],
    ['syncs', ...both((size) => figures.tell(`${size} syncs`, 2)), ''],
    ['jobs a second, of `xargs`', ...both((size) => `${figures.tell(`${size} ratio`)} %`), '100 %'],
  ];
}
