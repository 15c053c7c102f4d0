import type { NodeId } from '../ids.ts';
import type { Allocation } from '../state/state.ts';

/** What a machine measures of itself, whoever takes it: jobs, or what else runs there. */
export interface Measured {
  /** Processes that ran or wanted to, on average over the last minute. */
  readonly load1: number;
  readonly memoryFree: number;
  /** Null: it does not tell. */
  readonly processors: number | null;
}

/** How much less than the state says a runner has free, from 0; added to what a placement there costs. */
export type LoadOf = (runner: NodeId) => number;

/** What is told is a minute old on average: it tips the scales, and does not empty a machine … */
const WEIGHT = 0.5;
/** … and small differences are none, so that machines at rest get equal parts. */
const STEP = 0.25;

/**
 * The part of a runner that the state takes for free and its machine does not have: taken by others than the cluster's
 * jobs, or by jobs beyond what they asked for.
 */
export function loadBeyondJobs(measured: Measured | null, allocation: Allocation | undefined): number {
  if (measured === null || allocation === undefined) return 0;
  const { free, record } = allocation;
  const { cpuMilli, memoryBytes } = record.total;
  const processors = measured.processors ?? cpuMilli / 1000;
  const idleMilli = Math.max(0, 1000 * (processors - measured.load1));
  const missing = Math.max(
    part(free.cpuMilli - idleMilli, cpuMilli),
    part(free.memoryBytes - measured.memoryFree, memoryBytes),
  );
  return WEIGHT * STEP * Math.floor(missing / STEP);
}

function part(missing: number, total: number): number {
  return total <= 0 ? 0 : Math.min(1, Math.max(0, missing / total));
}
