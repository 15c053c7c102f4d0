import { fromSpec, type Resources } from '../../../src/resources/resources.ts';
import { Chance } from '../chance.ts';
import { type Amounts, amountsOf, WIDTH } from './amounts.ts';
import { draw } from './distribution.ts';
import { FAILS_AFTER, type Faults, MOST_FAILURES, type Scenario } from './scenario.ts';

export interface SimRunner {
  readonly total: Resources;
  readonly amounts: Amounts;
  readonly labels: Readonly<Record<string, string>>;
  /** 1, or less where it is slow. */
  readonly speed: number;
}

export interface Sizing {
  readonly runners: number;
  readonly jobs: number;
  readonly seed: number;
}

/** Everything that chance decides, drawn before a run: each policy meets the same. Jobs are numbered from 0. */
export interface Workload extends Sizing {
  readonly scenario: Scenario;
  readonly machines: readonly SimRunner[];
  readonly stragglers: Faults['stragglers'];
  /** Of each size class. */
  readonly demands: readonly Amounts[];
  readonly sizeOf: Uint8Array;
  readonly ownerOf: Uint8Array;
  /** When it is submitted; ascending. NaN for children. */
  readonly arrivalMs: Float64Array;
  readonly durationMs: Float64Array;
  /** How many attempts fail before one succeeds. */
  readonly failures: Uint8Array;
  /** -1: none. */
  readonly parentOf: Int32Array;
  /** The number of its first child; -1: it has none. They follow one another. */
  readonly firstChildOf: Int32Array;
  /** Until the last job comes that no other submits. */
  readonly spanMs: number;
}

type Work = Pick<Workload, 'seed' | 'stragglers' | 'demands' | 'sizeOf' | 'durationMs' | 'failures'>;

export function drawWorkload(scenario: Scenario, sizing: Sizing): Workload {
  const chance = new Chance(sizing.seed);
  const machines = drawMachines(scenario, sizing.runners, chance.fork());
  const demands = scenario.sizes.map(({ resources }) => amountsOf(fromSpec(resources)));
  const children = scenario.fanOut === null ? 0 : Math.floor(sizing.jobs * scenario.fanOut.part);
  const bodies = drawBodies(scenario, sizing.jobs, chance.fork());
  const submitted = sizing.jobs - children;
  const { stragglers } = scenario.faults;
  const spanMs = areaMs(machines, { seed: sizing.seed, stragglers, demands, ...bodies }) * scenario.arrivals.span;
  const arrivals = drawArrivals(scenario, submitted, sizing.jobs, spanMs, chance.fork());
  const family = drawFamily(scenario, submitted, sizing.jobs, arrivals.ownerOf, chance.fork());
  return { ...sizing, scenario, stragglers, machines, demands, spanMs, ...bodies, ...arrivals, ...family };
}

/** How long an attempt takes, which follows so many that failed. A lost one is taken up from the start. */
export function attemptMs(workload: Workload, job: number, failed: number, speed: number): number {
  const part = failed < (workload.failures[job] as number) ? FAILS_AFTER : 1;
  return Math.max(1, ((workload.durationMs[job] as number) * part * slownessOf(workload, job, failed)) / speed);
}

function slownessOf({ seed, stragglers }: Pick<Workload, 'seed' | 'stragglers'>, job: number, failed: number): number {
  return unitOf(seed, job * 8 + failed) < stragglers.part ? stragglers.factor : 1;
}

/** All attempts that a job needs, on a runner of speed 1, without those that are lost. */
export function workMs(workload: Work, job: number): number {
  let ms = 0;
  for (let failed = 0; failed <= (workload.failures[job] as number); failed += 1) {
    const part = failed < (workload.failures[job] as number) ? FAILS_AFTER : 1;
    ms += (workload.durationMs[job] as number) * part * slownessOf(workload, job, failed);
  }
  return ms;
}

export type Attempted = 'succeeded' | 'failed';

/** How long a runner stays up after it came for the nth time; null: until the end. */
export function uptimeMs({ scenario, seed }: Workload, runner: number, nth: number): number | null {
  const { runnerMtbfMs } = scenario.faults;
  return runnerMtbfMs === null ? null : new Chance(seed ^ (runner * 7919 + nth + 1)).exponential(runnerMtbfMs);
}

/** Those that die at one moment. */
export function diesAtOnce({ scenario, seed }: Workload, runner: number): boolean {
  return unitOf(seed + 1, runner) < scenario.faults.lostAtOnce;
}

/** How long the whole cluster, never idle, needs for these jobs: by the scarcest resource. */
function areaMs(machines: readonly SimRunner[], work: Work): number {
  const volume = new Float64Array(WIDTH);
  for (let job = 0; job < work.sizeOf.length; job += 1) addVolume(volume, work, job);
  return longestOf(volume, speedOf(machines));
}

export function addVolume(volume: Float64Array, work: Work, job: number): void {
  const demand = work.demands[work.sizeOf[job] as number] as Amounts;
  const ms = workMs(work, job);
  for (let i = 0; i < WIDTH; i += 1) volume[i] = (volume[i] as number) + (demand[i] as number) * ms;
}

/** What all runners together do in a millisecond, by resource. */
export function speedOf(machines: readonly SimRunner[]): Float64Array {
  const speed = new Float64Array(WIDTH);
  for (const { amounts, speed: own } of machines) {
    for (let i = 0; i < WIDTH; i += 1) speed[i] = (speed[i] as number) + (amounts[i] as number) * own;
  }
  return speed;
}

export function longestOf(volume: Float64Array, speed: Float64Array): number {
  return volume.reduce(
    (most, amount, i) => ((speed[i] as number) > 0 ? Math.max(most, amount / (speed[i] as number)) : most),
    0,
  );
}

function drawMachines({ runners, faults }: Scenario, count: number, chance: Chance): SimRunner[] {
  const totals = runners.map(({ resources }) => fromSpec(resources));
  const kinds = exactParts(runners, count);
  return kinds.map((kind) => {
    const total = totals[kind] as Resources;
    const speed = chance.happens(faults.slowRunners.part) ? 1 / faults.slowRunners.factor : 1;
    return { total, amounts: amountsOf(total), labels: runners[kind]?.labels ?? {}, speed };
  });
}

/** Kinds by their parts, each of at least one, mixed evenly. */
function exactParts(kinds: readonly { readonly part: number }[], count: number): number[] {
  const whole = kinds.reduce((sum, { part }) => sum + part, 0);
  const given = kinds.map(() => 0);
  return Array.from({ length: count }, (_, n) => {
    let next = 0;
    const lack = (kind: number): number => ((kinds[kind]?.part ?? 0) * (n + 1)) / whole - (given[kind] ?? 0);
    for (let kind = 1; kind < kinds.length; kind += 1) if (lack(kind) > lack(next)) next = kind;
    given[next] = (given[next] ?? 0) + 1;
    return next;
  });
}

function drawBodies({ sizes, faults }: Scenario, jobs: number, chance: Chance) {
  const sizeOf = new Uint8Array(jobs);
  const durationMs = new Float64Array(jobs);
  const failures = new Uint8Array(jobs);
  for (let job = 0; job < jobs; job += 1) {
    const size = pickPart(sizes, chance);
    sizeOf[job] = size;
    durationMs[job] = draw((sizes[size] as Scenario['sizes'][number]).duration, chance);
    while ((failures[job] as number) < MOST_FAILURES && chance.happens(faults.failing))
      failures[job] = (failures[job] as number) + 1;
  }
  return { sizeOf, durationMs, failures };
}

/** Submissions come alone or in bursts of one owner. */
function drawArrivals({ arrivals, owners }: Scenario, submitted: number, jobs: number, spanMs: number, chance: Chance) {
  const bursts: { readonly at: number; readonly owner: number; readonly size: number }[] = [];
  for (let made = 0; made < submitted;) {
    const wanted = chance.happens(arrivals.burst.probability) ? arrivals.burst.jobs : 1;
    const size = Math.min(wanted, submitted - made);
    const at = chance.happens(arrivals.atOnce) ? 0 : chance.between(0, spanMs);
    bursts.push({ at, owner: pickPart(owners, chance), size });
    made += size;
  }
  bursts.sort((a, b) => a.at - b.at);
  const arrivalMs = new Float64Array(jobs).fill(Number.NaN);
  const ownerOf = new Uint8Array(jobs);
  let job = 0;
  for (const { at, owner, size } of bursts) {
    arrivalMs.fill(at, job, job + size);
    ownerOf.fill(owner, job, job + size);
    job += size;
  }
  return { arrivalMs, ownerOf };
}

/** Children are numbered behind all that are submitted by themselves, and belong to their parents' owner. */
function drawFamily({ fanOut }: Scenario, submitted: number, jobs: number, ownerOf: Uint8Array, chance: Chance) {
  const parentOf = new Int32Array(jobs).fill(-1);
  const firstChildOf = new Int32Array(jobs).fill(-1);
  for (let child = submitted; fanOut !== null && child < jobs;) {
    const parent = chance.below(submitted);
    if (firstChildOf[parent] !== -1) continue;
    firstChildOf[parent] = child;
    const end = Math.min(child + fanOut.children, jobs);
    parentOf.fill(parent, child, end);
    ownerOf.fill(ownerOf[parent] as number, child, end);
    child = end;
  }
  return { parentOf, firstChildOf };
}

function pickPart(items: readonly { readonly part: number }[], chance: Chance): number {
  let left = chance.float() * items.reduce((sum, { part }) => sum + part, 0);
  for (let i = 0; i < items.length - 1; i += 1) {
    left -= items[i]?.part ?? 0;
    if (left < 0) return i;
  }
  return items.length - 1;
}

/** In [0, 1), of two numbers: what chance decides about one thing, in whatever order it is asked. */
function unitOf(seed: number, n: number): number {
  let hash = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul((n | 0) ^ (n / 2 ** 32), 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}
