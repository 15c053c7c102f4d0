import { fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { findMistakes } from './find-mistakes.ts';
import { search, type SearchOptions } from './search.ts';
import { simulate } from './simulation.ts';
import { Totals, type TotalsData } from './totals.ts';

const USAGE = `scripts/sim --seed S [--trace]      runs one seed again, exactly
scripts/sim --minutes N [--fixed F] searches new seeds, after the seeds 1 to F
            [--from S] [--workers 2] [--first]
scripts/sim --mutants [--only TEXT] shows that known mistakes are found`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    minutes: { type: 'string' },
    fixed: { type: 'string', default: '0' },
    from: { type: 'string' },
    /** Ends with the first seed that breaks a promise. */
    first: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    workers: { type: 'string', default: '1' },
    /** Which of the workers this process is; only they have it. */
    worker: { type: 'string' },
  },
});

/** Far from the fixed seeds. */
function anySeed(): number {
  return 1_000_000 + Math.floor(Math.random() * 2 ** 31);
}

async function replay(seed: number): Promise<void> {
  const print = values.trace ? (line: string): void => console.log(line) : null;
  const began = performance.now();
  const report = await simulate({ seed, ...(print === null ? {} : { print }) });
  const totals = new Totals();
  totals.add(report);
  console.log(totals.lines((performance.now() - began) / 1000).join('\n'));
  console.log(`seed ${seed}, trace ${report.hash}`);
  if (report.violation === null) return;
  console.log(`VIOLATION ${report.violation.stack}`);
  process.exitCode = 1;
}

function tell(seed: number, violation: string): void {
  console.log(`VIOLATION seed ${seed}: ${violation}\n  replay: scripts/sim --seed ${seed} --trace`);
}

async function searchAlone(options: SearchOptions): Promise<TotalsData> {
  return (await search({ ...options, found: tell })).data;
}

/** Each worker takes every n-th seed. */
async function searchInWorkers(workers: number, args: readonly string[]): Promise<TotalsData[]> {
  return Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      const child = fork(import.meta.filename, [...args, '--worker', String(worker)]);
      const [data] = (await once(child, 'message')) as [TotalsData];
      return data;
    }),
  );
}

async function searchFor(minutes: number): Promise<void> {
  const from = Number(values.from ?? anySeed());
  const workers = Number(values.workers);
  const worker = Number(values.worker ?? 0);
  const all = Array.from({ length: Number(values.fixed) }, (_, i) => i + 1);
  const options: SearchOptions = {
    fixed: all.filter((seed) => seed % workers === worker),
    first: from + worker,
    step: workers,
    ms: minutes * 60_000,
    until: values.first ? 'violation' : 'timeIsOver',
  };
  if (values.worker !== undefined) {
    process.send?.(await searchAlone(options));
    return;
  }
  console.log(`fixed seeds 1 to ${all.length}, then ${from} and on, for ${minutes} min with ${workers} worker(s)`);
  const began = performance.now();
  const args = ['--minutes', String(minutes), '--fixed', values.fixed, '--from', String(from)];
  const parts =
    workers === 1
      ? [await searchAlone(options)]
      : await searchInWorkers(workers, [...args, '--workers', String(workers)]);
  const totals = new Totals();
  for (const part of parts) totals.take(part);
  console.log(totals.lines((performance.now() - began) / 1000).join('\n'));
  if (totals.findings.length > 0) process.exitCode = 1;
}

if (values.seed !== undefined) await replay(Number(values.seed));
else if (values.mutants) {
  if ((await findMistakes(values.only, Number(values.minutes ?? 2))) > 0) process.exitCode = 1;
} else if (values.minutes !== undefined) await searchFor(Number(values.minutes));
else {
  console.error(USAGE);
  process.exitCode = 2;
}
