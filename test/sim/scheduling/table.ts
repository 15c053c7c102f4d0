import { RESOURCE_NAMES } from './amounts.ts';
import type { Bounds } from './bounds.ts';
import type { Outcome } from './run.ts';
import { biggestSize, type WaitFigures, waitsOf } from './waits.ts';
import type { Workload } from './workload.ts';

/** One scenario, played against several policies. */
export interface Comparison {
  readonly workload: Workload;
  readonly bounds: Bounds;
  readonly outcomes: readonly Outcome[];
}

const NOTHING = '–';

/** Markdown. */
export function comparisonLines({ workload, bounds, outcomes }: Comparison): string[] {
  const { scenario, runners, jobs, seed, sizeOf } = workload;
  const big = biggestSize(workload);
  const head = [
    'policy',
    'makespan',
    'of the bound',
    'wait p50',
    'p99',
    `longest of "${scenario.sizes[big]?.name ?? ''}"`,
    'cpu held',
    "Jain's index mean, least",
    'farthest from its share',
    'attempts lost, failed',
    'placements refused',
  ];
  const rows = outcomes.map((outcome) => {
    const { fairness, makespanMs, utilisation, lostAttempts, failedAttempts, account } = outcome;
    const all = waitsOf(outcome);
    return [
      outcome.policy,
      seconds(makespanMs),
      `${(makespanMs / bounds.makespanMs).toFixed(2)} ×`,
      seconds(all.p50),
      seconds(all.p99),
      seconds(waitsOf(outcome, (job) => sizeOf[job] === big).longest),
      percent(utilisation[RESOURCE_NAMES.indexOf('cpu')] ?? 0),
      fairness === null ? NOTHING : `${fairness.jainMean.toFixed(3)}, ${fairness.jainLeast.toFixed(3)}`,
      fairness === null ? NOTHING : percent(fairness.deviation),
      `${count(lostAttempts)}, ${count(failedAttempts)}`,
      count(account.refused),
    ];
  });
  return [
    `### ${scenario.name}: ${scenario.about}`,
    '',
    `${count(runners)} runners, ${count(jobs)} jobs, seed ${seed}. No policy is done before ${seconds(bounds.makespanMs)} ` +
      `(area ${seconds(bounds.areaMs)}, longest job ${seconds(bounds.longestJobMs)}).`,
    '',
    ...markdown(head, rows),
    ...waitLines({ workload, bounds, outcomes }),
  ];
}

/** In processor time, and so not the same twice. */
export function costLine({ outcomes }: Comparison, spentMs: number): string {
  const [first] = outcomes;
  const { decisions, decidingMs, longestCallMs } = first?.account ?? { decisions: 0, decidingMs: 0, longestCallMs: 0 };
  const rate = decidingMs === 0 ? 0 : (decisions / decidingMs) * 1000;
  return (
    `${first?.policy}: ${count(decisions)} decisions of the leader, ${count(Math.round(rate))} a second, ` +
    `longest call ${longestCallMs.toFixed(0)} ms; the comparison took ${seconds(spentMs)} of processor time`
  );
}

function waitLines({ workload, outcomes }: Comparison): string[] {
  const { scenario, sizeOf, ownerOf } = workload;
  const bySize = scenario.sizes.map(({ name }, size) => row(name, (job) => sizeOf[job] === size));
  const byOwner = scenario.owners.map(({ queue, project, weight }, owner) =>
    row(`${project} in ${queue}, weight ${weight}`, (job) => ownerOf[job] === owner),
  );
  const rows = [...(bySize.length > 1 ? bySize : []), ...(byOwner.length > 1 ? byOwner : [])];
  if (rows.length === 0) return [];
  return ['', ...markdown(['wait p50, p99, longest', 'jobs', ...outcomes.map(({ policy }) => policy)], rows)];

  function row(name: string, counts: (job: number) => boolean): string[] {
    const figures = outcomes.map((outcome) => waitsOf(outcome, counts));
    return [name, count(figures[0]?.jobs ?? 0), ...figures.map(waitCell)];
  }
}

function waitCell({ p50, p99, longest }: WaitFigures): string {
  return `${seconds(p50)}, ${seconds(p99)}, ${seconds(longest)}`;
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}
