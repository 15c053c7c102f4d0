import type { Outcome } from './run.ts';
import type { Workload } from './workload.ts';

/** Milliseconds from submission to first start. */
export interface WaitFigures {
  readonly jobs: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

/** @param counts whether a job is meant */
export function waitsOf({ waitMs }: Outcome, counts: (job: number) => boolean = () => true): WaitFigures {
  const sorted = waitMs.filter((ms, job) => !Number.isNaN(ms) && counts(job)).toSorted();
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
  return { jobs: sorted.length, p50: at(0.5), p99: at(0.99), longest: sorted.at(-1) ?? 0 };
}

/** The class that asks for the largest part of a machine of the largest kind. */
export function biggestSize({ demands, machines }: Workload): number {
  const share = (size: number): number =>
    Math.min(
      ...machines
        .slice(0, 100)
        .map(({ amounts }) =>
          Math.max(...(demands[size] ?? []).map((wanted, i) => wanted / Math.max(amounts[i] ?? 0, 1e-9))),
        ),
    );
  return demands.reduce((most, _, size) => (share(size) > share(most) ? size : most), 0);
}
