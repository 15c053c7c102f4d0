import { parseArgs } from 'node:util';
import { TestCluster } from '../support/cluster.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { GeneratorProcess } from './generator-process.ts';
import type { LoadResult } from './load.ts';
import { describeMachine } from './machine.ts';
import { jobsPerSecond, xargsPerSecond } from './processes-per-second.ts';
import type { Target } from './raw-connection.ts';
import { median } from './statistics.ts';

/**
 * Measures clusters of one and of three on this machine and prints a table. Every figure is the median of the rounds;
 * what is compared is measured in the same round.
 */

const { values: flags } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, scale: { type: 'string', default: '1' } },
});
const ROUNDS = Number(flags.rounds);
const SCALE = Number(flags.scale);

/** Submissions alone: the jobs wait for a date that does not come, so that no process takes part. */
const WAITING = JSON.stringify({ command: ['true'], notBefore: '2099-01-01T00:00:00Z' });
const TRUE = JSON.stringify({ command: ['true'] });

const COUNTS = { oneByOne: 1_000, clients: 20_000, batch: 50_000, roundTrip: 300, processes: 2_000 };

type Row = readonly [what: string, figure: string, aim: string];

const figures = new Map<string, number[]>();

function record(name: string, value: number): void {
  figures.set(name, [...(figures.get(name) ?? []), value]);
}

function figure(name: string, digits = 0): string {
  return median(figures.get(name) ?? []).toLocaleString('en', {
    maximumFractionDigits: digits,
    minimumFractionDigits: digits,
  });
}

function scaled(count: number): number {
  return Math.max(10, Math.round(count * SCALE));
}

async function targetOf(node: NodeProcess, token: string): Promise<Target> {
  const { http } = await node.requireFile();
  const colon = http.lastIndexOf(':');
  return { host: http.slice(0, colon), port: Number(http.slice(colon + 1)), token };
}

function recordLoad(name: string, result: LoadResult): void {
  record(`${name} perSecond`, result.perSecond);
  record(`${name} p50`, result.p50Ms);
  record(`${name} p99`, result.p99Ms);
}

/**
 * Their data goes when all is measured: an ext4 without a journal takes long to create files for some minutes after
 * many were removed.
 */
const ended: TestCluster[] = [];

async function measure(size: 1 | 3, round: number): Promise<void> {
  process.stderr.write(`round ${round}: ${size === 1 ? 'one node' : 'three nodes'}\n`);
  const generator = new GeneratorProcess();
  const cluster = await TestCluster.start({ size });
  try {
    const token = await cluster.adminToken();
    const node = size === 1 ? cluster.node(0) : (await cluster.followers())[0];
    if (node === undefined) throw new Error('no follower');
    const target = await targetOf(node, token);
    await generator.run({ kind: 'submit', target, clients: 16, count: scaled(2_000), spec: WAITING });
    await generator.run({ kind: 'roundTrip', target, count: 20, spec: TRUE });

    const count = { ...COUNTS };
    recordLoad(
      `${size} roundTrip`,
      await generator.run({ kind: 'roundTrip', target, count: scaled(count.roundTrip), spec: TRUE }),
    );
    recordLoad(
      `${size} oneByOne`,
      await generator.run({ kind: 'submit', target, clients: 1, count: scaled(count.oneByOne), spec: WAITING }),
    );
    recordLoad(
      `${size} clients`,
      await generator.run({ kind: 'submit', target, clients: 128, count: scaled(count.clients), spec: WAITING }),
    );
    recordLoad(
      `${size} batch`,
      await generator.run({ kind: 'batch', target, count: scaled(count.batch), spec: WAITING }),
    );
    if (size === 1) await measureProcesses(node, round);
  } catch (error) {
    process.stderr.write(`${cluster.logTails()}\n`);
    throw error;
  } finally {
    generator.close();
    cluster.end();
    ended.push(cluster);
  }
}

async function measureProcesses(node: NodeProcess, round: number): Promise<void> {
  const count = scaled(COUNTS.processes);
  const xargs = await xargsPerSecond(count);
  const whole = await jobsPerSecond(node.api, count, { command: ['true'] }, `whole-${round}`);
  const small = await jobsPerSecond(node.api, count, { command: ['true'], resources: { cpu: 0.25 } }, `small-${round}`);
  record('xargs', xargs);
  record('whole', whole);
  record('small', small);
  record('whole ratio', (whole / xargs) * 100);
  record('small ratio', (small / xargs) * 100);
}

function rows(): readonly Row[] {
  const submits = (size: 1 | 3): readonly Row[] => [
    [
      'submit one by one',
      `${figure(`${size} oneByOne perSecond`)}/s, p50 ${figure(`${size} oneByOne p50`, 2)} ms, p99 ${figure(`${size} oneByOne p99`, 2)} ms`,
      size === 3 ? 'p50 ≤ 3 ms' : '',
    ],
    [
      'submit, 128 clients',
      `${figure(`${size} clients perSecond`)}/s, p50 ${figure(`${size} clients p50`, 1)} ms, p99 ${figure(`${size} clients p99`, 1)} ms`,
      size === 3 ? '≥ 4,000/s' : '',
    ],
    ['submit in a batch', `${figure(`${size} batch perSecond`)}/s`, size === 3 ? '≥ 10,000/s' : '≥ 25,000/s'],
    [
      '`true`, from submit to succeeded',
      `p50 ${figure(`${size} roundTrip p50`, 1)} ms, p99 ${figure(`${size} roundTrip p99`, 1)} ms`,
      size === 3 ? 'p50 ≤ 15 ms' : 'p50 ≤ 8 ms',
    ],
  ];
  return [
    ...submits(1).map(([what, value, aim]) => [`one node: ${what}`, value, aim] as const),
    ['one node: `true` jobs, a whole processor each', `${figure('whole')}/s, ${figure('whole ratio')} % of xargs`, ''],
    [
      'one node: `true` jobs, a quarter processor each',
      `${figure('small')}/s, ${figure('small ratio')} % of xargs`,
      '≥ 80 %',
    ],
    ['beside it: `xargs -P2 -n1 /bin/true`', `${figure('xargs')}/s`, ''],
    ...submits(3).map(([what, value, aim]) => [`three nodes, at a follower: ${what}`, value, aim] as const),
  ];
}

const machine = await describeMachine();
try {
  for (let round = 1; round <= ROUNDS; round += 1) {
    await measure(1, round);
    await measure(3, round);
  }
} finally {
  for (const cluster of ended) await cluster.removeFolder();
}

console.log(`\n${machine}; medians of ${ROUNDS} rounds${SCALE === 1 ? '' : `, counts × ${SCALE}`}\n`);
console.log('| what | measured | aim |\n|---|---|---|');
for (const row of rows()) console.log(`| ${row.join(' | ')} |`);
