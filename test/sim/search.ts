import { simulate } from './simulation.ts';
import { Totals } from './totals.ts';

export interface SearchOptions {
  /** These first, however long they take. */
  readonly fixed: readonly number[];
  /** Then this one and so on, until the time is over. */
  readonly first: number;
  readonly step: number;
  readonly ms: number;
  readonly found?: (seed: number, violation: string) => void;
}

/** Runs one seed after another. */
export async function search({ fixed, first, step, ms, found }: SearchOptions): Promise<Totals> {
  const totals = new Totals();
  const end = performance.now() + ms;
  const run = async (seed: number): Promise<void> => {
    const report = await simulate({ seed });
    totals.add(report);
    if (report.violation !== null) found?.(seed, report.violation.message);
  };
  for (const seed of fixed) await run(seed);
  for (let seed = first; performance.now() < end; seed += step) await run(seed);
  return totals;
}
