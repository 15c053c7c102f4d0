import { simulate } from './simulation.ts';
import { Totals } from './totals.ts';

export interface SearchOptions {
  /** These first, however long they take. */
  readonly fixed: readonly number[];
  /** Then this one and so on, until the time is over. */
  readonly first: number;
  readonly step: number;
  readonly ms: number;
  readonly until: 'violation' | 'timeIsOver';
  readonly found?: (seed: number, violation: string) => void;
}

/** Runs one seed after another. */
export async function search({ fixed, first, step, ms, until, found }: SearchOptions): Promise<Totals> {
  const totals = new Totals();
  const end = performance.now() + ms;
  const run = async (seed: number): Promise<void> => {
    const report = await simulate({ seed });
    totals.add(report);
    if (report.violation !== null) found?.(seed, report.violation.message);
  };
  const goesOn = (): boolean => until === 'timeIsOver' || totals.findings.length === 0;
  for (const seed of fixed) if (goesOn()) await run(seed);
  for (let seed = first; goesOn() && performance.now() < end; seed += step) await run(seed);
  return totals;
}
