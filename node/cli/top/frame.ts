import type { MemberView, QueueView, RunnerView, StatsView } from '../../../src/api/views.ts';
import { FINAL_STATES } from '../../../src/jobs/job.ts';
import { formatDuration, formatSize } from '../format.ts';
import type { Style } from '../output.ts';
import { plain } from '../plain-text.ts';
import { table } from '../table.ts';
import { cut } from '../text-width.ts';
import { fitBlocks } from './fit-blocks.ts';
import type { Rates, Snapshot } from './snapshot.ts';

export type Sort = 'busiest' | 'name';

export interface FrameOptions {
  readonly columns: number;
  /** Null: as many as it takes. */
  readonly rows: number | null;
  readonly sort: Sort;
}

/** One line, with how it is to look as a whole. */
export interface Line {
  readonly text: string;
  readonly style: Style;
}

/** A heading and what stands under it; of the rows as many are shown as fit. */
export interface Block {
  readonly heading: string;
  readonly rows: readonly Line[];
}

const BAR_WIDTH = 8;
const NAME_WIDTH = 24;
const WARNINGS = 2;

/** A frame of at most so many rows, none wider than the columns; what a row or column has no room for is cut. */
export function renderFrame(snapshot: Snapshot, { columns, rows, sort }: FrameOptions): Line[] {
  const head = headOf(snapshot);
  const blocks = [
    membersBlock(snapshot, columns),
    runnersBlock(snapshot, columns, sort),
    queuesBlock(snapshot, columns, sort),
  ];
  const told = blocks.filter((block) => block !== null);
  const body = fitBlocks(told, rows === null ? null : Math.max(0, rows - head.length));
  return [...head, ...body].slice(0, rows ?? undefined).map(({ text, style }) => ({ text: cut(text, columns), style }));
}

function headOf({ at, cluster, stats, rates }: Snapshot): Line[] {
  const { jobs, totals, oldestQueued } = stats;
  const ended = FINAL_STATES.filter((state) => totals.ended[state] > 0).map(
    (state) => `${count(totals.ended[state])} ${state}`,
  );
  const warnings = cluster?.warnings ?? [];
  return [
    { text: titleOf(at, cluster), style: 'bold' },
    line(
      `jobs    ${count(jobs.waiting)} waiting, ${count(jobs.queued)} queued, ${count(jobs.assigned)} assigned, ${count(jobs.running)} running`,
    ),
    line(`rates   ${describeRates(rates)}`),
    line(`ended   ${ended.length === 0 ? 'none yet' : ended.join(', ')}`),
    line(`oldest  ${oldestQueued === null ? 'none queued' : describeOldest(oldestQueued, at)}`),
    ...warnings
      .slice(0, WARNINGS)
      .map(({ code, detail }): Line => ({ text: plain(`warning: ${detail} (${code})`), style: 'yellow' })),
  ];
}

function titleOf(at: string, cluster: Snapshot['cluster']): string {
  const time = at.slice(11, 19);
  if (cluster === null) return `quorate  ${time}`;
  const { clusterId, leader, term, commitIndex } = cluster;
  const lead = leader === null ? 'no leader' : `leader ${shortId(leader)}`;
  return `quorate  ${time}Z  cluster ${shortId(clusterId)}  ${lead}  term ${term}  committed ${count(commitIndex)}`;
}

function describeRates({ submitted, started, ended }: Rates): string {
  const shown = (rate: number | null): string => (rate === null ? '?' : rate.toFixed(1));
  return `${shown(submitted)}/s submitted, ${shown(started)}/s started, ${shown(ended)}/s ended`;
}

function describeOldest(
  { id, name, queue, project, submittedAt }: NonNullable<StatsView['oldestQueued']>,
  at: string,
): string {
  const age = formatDuration(Math.max(0, Date.parse(at) - Date.parse(submittedAt)));
  return plain(`submitted ${age} ago: ${id}${name === null ? '' : ` ${name}`}, in ${queue} for ${project}`);
}

const MEMBER_HEADING = ['MEMBER', 'ROLE', '', 'HEALTH', 'COMMITTED', 'APPLIED', 'LAG', 'SEEN', 'HTTP'];

function membersBlock({ at, cluster }: Snapshot, columns: number): Block | null {
  if (cluster === null) return null;
  const now = Date.parse(at);
  const rows = cluster.members.map((member) => memberCells(member, cluster.leader, now));
  return block(MEMBER_HEADING, rows, columns, (i) => (cluster.members[i]?.health === 'alive' ? 'plain' : 'red'));
}

function memberCells(member: MemberView, leader: string | null, now: number): readonly string[] {
  const { id, role, health, commitIndex, appliedIndex, lag, lastSeen, http } = member;
  const shown = (value: number | null): string => (value === null ? '?' : String(value));
  const seen = lastSeen === null ? '?' : formatAge(now - Date.parse(lastSeen));
  return [
    shortId(id),
    role,
    id === leader ? 'leader' : '',
    health,
    shown(commitIndex),
    shown(appliedIndex),
    shown(lag),
    seen,
    http ?? '',
  ];
}

const RUNNER_HEADING = ['RUNNER', 'STATE', 'JOBS', 'CPU', 'MEMORY', 'LOAD', 'LABELS'];

function runnersBlock({ runners }: Snapshot, columns: number, sort: Sort): Block | null {
  if (runners === null) return null;
  const sorted = runners.toSorted(
    (a, b) => (sort === 'busiest' ? b.running.length - a.running.length : 0) || byText(a.id, b.id),
  );
  const styles = { ready: 'plain', draining: 'yellow', lost: 'red' } as const;
  return block(RUNNER_HEADING, sorted.map(runnerCells), columns, (i) => styles[sorted[i]?.state ?? 'ready']);
}

function runnerCells({ id, state, running, total, free, load, labels }: RunnerView): readonly string[] {
  const cpu = total.cpu - free.cpu;
  const memory = total.memory - free.memory;
  return [
    shortId(id),
    state,
    String(running.length),
    `${bar(cpu, total.cpu)} ${trim(cpu)}/${trim(total.cpu)}`,
    `${bar(memory, total.memory)} ${formatSize(Math.max(0, memory))}/${formatSize(total.memory)}`,
    load === null ? '?' : load.load1.toFixed(2),
    Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
  ];
}

const QUEUE_HEADING = ['QUEUE', 'STATE', 'WEIGHT', 'QUEUED', 'RUNNING', 'SHARE'];

function queuesBlock({ queues }: Snapshot, columns: number, sort: Sort): Block {
  const work = ({ queued, running }: QueueView): number => queued + running;
  const sorted = queues.toSorted((a, b) => (sort === 'busiest' ? work(b) - work(a) : 0) || byText(a.name, b.name));
  return block(QUEUE_HEADING, sorted.map(queueCells), columns, (i) =>
    sorted[i]?.paused === true ? 'yellow' : 'plain',
  );
}

function queueCells({ name, paused, weight, queued, running, share }: QueueView): readonly string[] {
  const state = paused ? 'paused' : 'open';
  return [
    cut(plain(name), NAME_WIDTH),
    state,
    String(weight),
    count(queued),
    count(running),
    `${(100 * share).toFixed(1)}%`,
  ];
}

function block(
  heading: readonly string[],
  cells: readonly (readonly string[])[],
  columns: number,
  styleOf: (row: number) => Style,
): Block {
  const [first = '', ...lines] = table(heading, cells, columns).split('\n');
  return { heading: first, rows: lines.map((text, i) => ({ text, style: styleOf(i) })) };
}

function bar(used: number, total: number): string {
  const part = total <= 0 ? 0 : Math.min(1, Math.max(0, used / total));
  const full = Math.round(part * BAR_WIDTH);
  return '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
}

/** Ids of nodes begin alike. */
function shortId(id: string): string {
  return id.length > 12 ? `…${id.slice(-8)}` : id;
}

/** The clocks of two machines may differ a little. */
function formatAge(ms: number): string {
  return ms < 1000 ? 'now' : `${formatDuration(ms)} ago`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function trim(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function line(text: string): Line {
  return { text, style: 'plain' };
}
