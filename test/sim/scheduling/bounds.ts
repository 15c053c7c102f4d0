import { addVolume, longestOf, speedOf, workMs, type Workload } from './workload.ts';
import { WIDTH } from './amounts.ts';
import { BACKOFF_MS } from './scenario.ts';

/** Moments at which the rest of the work is looked at. */
const MOMENTS = 1000;

/** No policy is done earlier, whatever it knows beforehand. */
export interface Bounds {
  /** From some moment on all of the cluster, never idle, works on what was not there before it. */
  readonly areaMs: number;
  /** One job after its submission, its failed attempts included, on the fastest runner. */
  readonly longestJobMs: number;
  readonly makespanMs: number;
}

export function boundsOf(workload: Workload): Bounds {
  const area = areaBound(workload);
  const longest = longestJob(workload);
  return { areaMs: area, longestJobMs: longest, makespanMs: Math.max(area, longest) };
}

function areaBound(workload: Workload): number {
  const { machines, jobs, spanMs } = workload;
  const sliceMs = spanMs / MOMENTS;
  const sliceOf = (ms: number): number => (sliceMs === 0 ? 0 : Math.min(MOMENTS - 1, Math.floor(ms / sliceMs)));
  const volumes = Array.from({ length: MOMENTS }, () => new Float64Array(WIDTH));
  for (let job = 0; job < jobs; job += 1) {
    addVolume(volumes[sliceOf(earliestMs(workload, job))] as Float64Array, workload, job);
  }
  const speed = speedOf(machines);
  const left = new Float64Array(WIDTH);
  let bound = 0;
  for (let slice = MOMENTS - 1; slice >= 0; slice -= 1) {
    for (let i = 0; i < WIDTH; i += 1) left[i] = (left[i] as number) + (volumes[slice]?.[i] ?? 0);
    bound = Math.max(bound, slice * sliceMs + longestOf(left, speed));
  }
  return bound;
}

function longestJob(workload: Workload): number {
  const fastest = workload.machines.reduce((most, { speed }) => Math.max(most, speed), 0);
  let longest = 0;
  for (let job = 0; job < workload.jobs; job += 1) {
    const failures = workload.failures[job] as number;
    const ms = earliestMs(workload, job) + workMs(workload, job) / fastest + BACKOFF_MS * failures;
    longest = Math.max(longest, ms);
  }
  return longest;
}

/** A child does not come before its parent. */
function earliestMs({ arrivalMs, parentOf }: Workload, job: number): number {
  const parent = parentOf[job] as number;
  return arrivalMs[parent === -1 ? job : parent] as number;
}
