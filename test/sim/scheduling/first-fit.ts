import TinyQueue from 'tinyqueue';
import { matches, parseConstraint } from '../../../src/resources/constraint.ts';
import type { Amounts } from './amounts.ts';
import { type Decided, emptyAccount, type Policy, type Start, type Told } from './policy.ts';
import { RoomTree } from './room-tree.ts';
import { BACKOFF_MS } from './scenario.ts';
import type { Workload } from './workload.ts';

interface Waiting {
  readonly job: number;
  /** Counts submissions: what is tried again keeps its place. */
  readonly order: number;
}

const NOWHERE = -1;

/**
 * First in, first out, to the first runner with room: what a scheduler does that knows neither owners nor priorities.
 * `blocking`: the first one that finds no room holds up all behind it. `passing`: those that fit go first.
 */
export class FirstFit implements Policy {
  readonly name: string;
  readonly account = emptyAccount();
  readonly #workload: Workload;
  readonly #mode: 'blocking' | 'passing';
  readonly #tree: RoomTree;
  readonly #allowed: readonly ((runner: number) => boolean)[];
  /** By size class; all in the first where nothing passes. */
  readonly #queues: readonly TinyQueue<Waiting>[];
  readonly #backoffs = new TinyQueue<Waiting & { readonly at: number }>([], (a, b) => a.at - b.at);
  readonly #orderOf: Float64Array;
  readonly #attempts: Uint16Array;
  readonly #runnerOf: Int32Array;
  readonly #jobsAt: readonly Set<number>[];
  #submitted = 0;

  constructor(workload: Workload, mode: 'blocking' | 'passing') {
    const { machines, scenario, jobs } = workload;
    this.name = mode === 'blocking' ? 'FIFO first-fit' : 'FIFO first-fit, passing';
    this.#workload = workload;
    this.#mode = mode;
    this.#tree = new RoomTree(machines.map(({ amounts }) => amounts));
    this.#allowed = scenario.sizes.map(({ constraints = [] }) => {
      const parsed = constraints.map(parseConstraint);
      return (runner) => parsed.every((constraint) => matches(constraint, machines[runner]?.labels ?? {}));
    });
    const queues = mode === 'blocking' ? 1 : scenario.sizes.length;
    this.#queues = Array.from({ length: queues }, () => new TinyQueue<Waiting>([], (a, b) => a.order - b.order));
    this.#orderOf = new Float64Array(jobs);
    this.#attempts = new Uint16Array(jobs);
    this.#runnerOf = new Int32Array(jobs).fill(NOWHERE);
    this.#jobsAt = machines.map(() => new Set());
  }

  tick(nowMs: number, { submitted, ended, lost, back }: Told): Decided {
    for (const job of submitted) {
      this.#orderOf[job] = this.#submitted += 1;
      this.#enqueue(job);
    }
    for (const { job, outcome } of ended) {
      this.#free(job);
      if (outcome === 'failed') this.#backoffs.push({ job, order: 0, at: nowMs + BACKOFF_MS });
    }
    for (const runner of lost) this.#lose(runner);
    for (const runner of back) this.#tree.set(runner, this.#workload.machines[runner]?.amounts as Amounts);
    for (let next = this.#backoffs.peek(); next !== undefined && next.at <= nowMs; next = this.#backoffs.peek()) {
      this.#backoffs.pop();
      this.#enqueue(next.job);
    }
    return { starts: this.#decide(), givenUp: [] };
  }

  dueMs(): number | null {
    return this.#backoffs.peek()?.at ?? null;
  }

  #decide(): Start[] {
    const starts: Start[] = [];
    const open = new Set(this.#queues);
    for (let queue = firstOf(open); queue !== null; queue = firstOf(open)) {
      const { job } = queue.peek() as Waiting;
      const runner = this.#find(job);
      if (runner === NOWHERE) {
        open.delete(queue);
        continue;
      }
      queue.pop();
      this.#take(job, runner);
      starts.push({ job, attempt: this.#attempts[job] as number, runner });
    }
    this.account.decisions += starts.length;
    return starts;
  }

  #find(job: number): number {
    const size = this.#workload.sizeOf[job] as number;
    return this.#tree.first(this.#demandOf(job), this.#allowed[size] as (runner: number) => boolean);
  }

  #take(job: number, runner: number): void {
    this.#attempts[job] = (this.#attempts[job] as number) + 1;
    this.#runnerOf[job] = runner;
    this.#jobsAt[runner]?.add(job);
    this.#tree.change(runner, this.#demandOf(job), -1);
  }

  #free(job: number): void {
    const runner = this.#runnerOf[job] as number;
    this.#jobsAt[runner]?.delete(job);
    this.#tree.change(runner, this.#demandOf(job), 1);
  }

  #lose(runner: number): void {
    for (const job of this.#jobsAt[runner] ?? []) this.#enqueue(job);
    this.#jobsAt[runner]?.clear();
    this.#tree.close(runner);
  }

  #enqueue(job: number): void {
    const queue = this.#mode === 'blocking' ? 0 : (this.#workload.sizeOf[job] as number);
    this.#queues[queue]?.push({ job, order: this.#orderOf[job] as number });
  }

  #demandOf(job: number): Amounts {
    return this.#workload.demands[this.#workload.sizeOf[job] as number] as Amounts;
  }
}

/** The one whose first job came first. */
function firstOf(queues: ReadonlySet<TinyQueue<Waiting>>): TinyQueue<Waiting> | null {
  let best: TinyQueue<Waiting> | null = null;
  for (const queue of queues) {
    const first = queue.peek();
    if (first !== undefined && first.order < (best?.peek()?.order ?? Infinity)) best = queue;
  }
  return best;
}
