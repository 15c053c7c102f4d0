import { parseConstraint, matches } from '../../../src/resources/constraint.ts';
import { ensure } from '../violation.ts';
import { type Amounts, WIDTH } from './amounts.ts';
import type { Start } from './policy.ts';
import type { Workload } from './workload.ts';

const NOWHERE = -1;

/**
 * Who holds what, counted apart from any policy, and what no policy may do: give more of a runner than it has, run a
 * job twice at once, put it where its constraints forbid, or run it again once it is final.
 */
export class Ledger {
  readonly #workload: Workload;
  readonly #allowed: readonly (readonly boolean[])[];
  readonly #used: readonly Amounts[];
  readonly #jobsAt: readonly Set<number>[];
  readonly #runnerOf: Int32Array;
  readonly #attempts: Uint16Array;
  readonly #final: Uint8Array;
  /** What all live attempts take, and those of each owner. */
  readonly taken = new Float64Array(WIDTH);
  readonly takenBy: readonly Amounts[];
  readonly total = new Float64Array(WIDTH);
  /** Jobs of each owner that are submitted, and neither run nor are final. */
  readonly waitingOf: Float64Array;
  /** Submitted and not final. */
  unfinished = 0;
  live = 0;

  constructor(workload: Workload) {
    const { machines, scenario, jobs } = workload;
    this.#workload = workload;
    this.#allowed = scenario.sizes.map(({ constraints = [] }) => {
      const parsed = constraints.map(parseConstraint);
      return machines.map(({ labels }) => parsed.every((constraint) => matches(constraint, labels)));
    });
    this.#used = machines.map(() => new Float64Array(WIDTH));
    this.#jobsAt = machines.map(() => new Set());
    this.#runnerOf = new Int32Array(jobs).fill(NOWHERE);
    this.#attempts = new Uint16Array(jobs);
    this.#final = new Uint8Array(jobs);
    this.takenBy = scenario.owners.map(() => new Float64Array(WIDTH));
    this.waitingOf = new Float64Array(scenario.owners.length);
    for (const { amounts } of machines) addTo(this.total, amounts, 1);
  }

  /** Null: it does not run. */
  runnerOf(job: number): number | null {
    const runner = this.#runnerOf[job] as number;
    return runner === NOWHERE ? null : runner;
  }

  attemptsOf(job: number): number {
    return this.#attempts[job] as number;
  }

  jobsAt(runner: number): ReadonlySet<number> {
    return this.#jobsAt[runner] as Set<number>;
  }

  usedAt(runner: number): Amounts {
    return this.#used[runner] as Amounts;
  }

  submit(job: number): void {
    this.unfinished += 1;
    this.#waits(job, 1);
  }

  start({ job, attempt, runner }: Start): void {
    const size = this.#workload.sizeOf[job] as number;
    const name = (): string => `attempt ${attempt} of job ${job} at runner ${runner}`;
    ensure(this.#final[job] === 0, 'no attempt of a final job', name);
    ensure(this.#runnerOf[job] === NOWHERE, 'no job in two live attempts', name);
    ensure(attempt === this.attemptsOf(job) + 1, 'attempts are counted', name);
    ensure(this.#allowed[size]?.[runner] === true, 'constraints are met', name);
    ensure(this.#fits(runner, size), 'no over-allocation', name);
    this.#attempts[job] = attempt;
    this.#runnerOf[job] = runner;
    this.#jobsAt[runner]?.add(job);
    this.live += 1;
    this.#take(job, runner, 1);
    this.#waits(job, -1);
  }

  /** The attempt is over, and the job waits anew. */
  release(job: number): void {
    const runner = this.#runnerOf[job] as number;
    this.#runnerOf[job] = NOWHERE;
    this.#jobsAt[runner]?.delete(job);
    this.live -= 1;
    this.#take(job, runner, -1);
    this.#waits(job, 1);
  }

  /** A job that does not run becomes final. */
  finish(job: number): void {
    ensure(this.#final[job] === 0 && this.#runnerOf[job] === NOWHERE, 'a job becomes final once', () => `job ${job}`);
    this.#final[job] = 1;
    this.unfinished -= 1;
    this.#waits(job, -1);
  }

  #fits(runner: number, size: number): boolean {
    const used = this.usedAt(runner);
    const { amounts } = this.#workload.machines[runner] as Workload['machines'][number];
    const demand = this.#workload.demands[size] as Amounts;
    for (let i = 0; i < WIDTH; i += 1) {
      const wanted = demand[i] as number;
      if (wanted > 0 && (used[i] as number) + wanted > (amounts[i] as number)) return false;
    }
    return true;
  }

  #take(job: number, runner: number, sign: 1 | -1): void {
    const demand = this.#workload.demands[this.#workload.sizeOf[job] as number] as Amounts;
    addTo(this.usedAt(runner), demand, sign);
    addTo(this.taken, demand, sign);
    addTo(this.takenBy[this.#workload.ownerOf[job] as number] as Amounts, demand, sign);
  }

  #waits(job: number, count: 1 | -1): void {
    const owner = this.#workload.ownerOf[job] as number;
    this.waitingOf[owner] = (this.waitingOf[owner] as number) + count;
  }
}

function addTo(sum: Amounts, amounts: Amounts, sign: 1 | -1): void {
  for (let i = 0; i < WIDTH; i += 1) sum[i] = (sum[i] as number) + sign * (amounts[i] as number);
}
