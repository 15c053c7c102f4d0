import TinyQueue from 'tinyqueue';
import { ensure } from '../violation.ts';
import { WIDTH } from './amounts.ts';
import { Fairness, type FairnessFigures } from './fairness.ts';
import { Ledger } from './ledger.ts';
import type { Policy, PolicyAccount, Start, Told } from './policy.ts';
import { type Attempted, attemptMs, diesAtOnce, uptimeMs, type Workload } from './workload.ts';

/** An entry of the log comes about this often: what happens in between is told together, and decided at once. */
export const TICK_MS = 100;
/** Nothing runs and nothing starts for so long: whoever waits then waits for ever. */
const STANDS_STILL_MS = 3 * 60 * 60 * 1000;
/** A lost part of the machines goes when so much of the span is over. */
const DIES_AFTER = 1 / 3;

export interface RunOptions {
  /** Looks at what holds after each tick at which something was decided. */
  readonly afterTick?: (ledger: Ledger, nowMs: number, starts: readonly Start[]) => void;
}

export interface Outcome {
  readonly policy: string;
  readonly makespanMs: number;
  /** From its submission to its first start, by job; NaN: it never started. */
  readonly waitMs: Float64Array;
  /** Part of each resource that was held, until the last job had started. */
  readonly utilisation: Float64Array;
  readonly fairness: FairnessFigures | null;
  readonly starts: number;
  readonly lostAttempts: number;
  readonly failedAttempts: number;
  readonly givenUp: number;
  readonly account: PolicyAccount;
  /** Tells two runs apart that did not do the same. */
  readonly fingerprint: number;
}

type Event =
  | { readonly kind: 'end' | 'fanOut'; readonly job: number; readonly attempt: number }
  | { readonly kind: 'death' | 'declared' | 'back'; readonly runner: number; readonly life: number };
type Timed = Event & { readonly at: number };

/** Plays a workload to its end against one policy, in virtual time. @throws Violation */
export function run(workload: Workload, policy: Policy, options: RunOptions = {}): Outcome {
  return new Run(workload, policy, options).play();
}

class Run {
  readonly #workload: Workload;
  readonly #policy: Policy;
  readonly #afterTick: RunOptions['afterTick'];
  readonly #ledger: Ledger;
  readonly #fairness: Fairness;
  readonly #events = new TinyQueue<Timed>([], (a, b) => a.at - b.at);
  readonly #submittedMs: Float64Array;
  readonly #waitMs: Float64Array;
  readonly #failed: Uint8Array;
  readonly #fannedOut: Uint8Array;
  /** How often each runner came; negative while it is dead. */
  readonly #lives: Int32Array;
  readonly #busy: Float64Array;
  readonly #heldMs = new Float64Array(WIDTH);
  #heldAtLastStart = new Float64Array(WIDTH);
  #busyToldMs = Number.NEGATIVE_INFINITY;
  #nextArrival = 0;
  #arrivals: number;
  #nowMs = 0;
  #lastStartMs = 0;
  #lastEndMs = 0;
  #counts = { starts: 0, lost: 0, failed: 0, givenUp: 0 };
  #fingerprint = 0;

  constructor(workload: Workload, policy: Policy, { afterTick }: RunOptions) {
    const { jobs, machines, scenario } = workload;
    this.#workload = workload;
    this.#policy = policy;
    this.#afterTick = afterTick;
    this.#ledger = new Ledger(workload);
    this.#fairness = new Fairness(this.#ledger, scenario.owners);
    this.#submittedMs = new Float64Array(jobs);
    this.#waitMs = new Float64Array(jobs).fill(Number.NaN);
    this.#failed = new Uint8Array(jobs);
    this.#fannedOut = new Uint8Array(jobs);
    this.#lives = new Int32Array(machines.length).fill(1);
    this.#busy = new Float64Array(machines.length);
    const firstChild = workload.arrivalMs.findIndex(Number.isNaN);
    this.#arrivals = firstChild === -1 ? jobs : firstChild;
    for (let runner = 0; runner < machines.length; runner += 1) this.#planDeath(runner);
  }

  play(): Outcome {
    while (this.#nextArrival < this.#arrivals || this.#ledger.unfinished > 0) {
      const at = this.#nextMs();
      const isMoving = Number.isFinite(at) && (this.#ledger.live > 0 || at - this.#lastStartMs < STANDS_STILL_MS);
      ensure(
        isMoving || at === this.#nextArrivalMs(),
        'every job gets a runner',
        () => `${this.#ledger.unfinished} wait`,
      );
      this.#passTo(Math.max(this.#nowMs, Math.ceil(at / TICK_MS) * TICK_MS));
      this.#tick();
    }
    const { starts, lost, failed, givenUp } = this.#counts;
    return {
      policy: this.#policy.name,
      makespanMs: this.#lastEndMs,
      waitMs: this.#waitMs,
      utilisation: this.#heldAtLastStart.map((held, i) => held / (this.#ledger.total[i] as number) / this.#lastStartMs),
      fairness: this.#fairness.figures,
      starts,
      lostAttempts: lost,
      failedAttempts: failed,
      givenUp,
      account: this.#policy.account,
      fingerprint: this.#fingerprint,
    };
  }

  #nextArrivalMs(): number {
    return this.#nextArrival < this.#arrivals ? (this.#workload.arrivalMs[this.#nextArrival] as number) : Infinity;
  }

  #nextMs(): number {
    return Math.min(this.#nextArrivalMs(), this.#events.peek()?.at ?? Infinity, this.#policy.dueMs() ?? Infinity);
  }

  #passTo(nowMs: number): void {
    const ms = nowMs - this.#nowMs;
    this.#fairness.pass(ms);
    for (let i = 0; i < WIDTH; i += 1)
      this.#heldMs[i] = (this.#heldMs[i] as number) + ms * (this.#ledger.taken[i] as number);
    this.#nowMs = nowMs;
  }

  #tick(): void {
    const told = this.#whatHappened();
    const { starts, givenUp } = this.#policy.tick(this.#nowMs, told);
    for (const job of givenUp) {
      this.#counts.givenUp += 1;
      this.#ledger.finish(job);
    }
    for (const start of starts) this.#start(start);
    this.#afterTick?.(this.#ledger, this.#nowMs, starts);
  }

  #whatHappened(): Told {
    const submitted: number[] = [];
    const ended: Told['ended'][number][] = [];
    const lost: number[] = [];
    const back: number[] = [];
    const { arrivalMs } = this.#workload;
    while (this.#nextArrival < this.#arrivals && (arrivalMs[this.#nextArrival] as number) <= this.#nowMs) {
      this.#submit(this.#nextArrival, submitted);
      this.#nextArrival += 1;
    }
    for (let next = this.#events.peek(); next !== undefined && next.at <= this.#nowMs; next = this.#events.peek()) {
      this.#events.pop();
      switch (next.kind) {
        case 'end':
          if (this.#isCurrent(next)) ended.push(this.#end(next));
          break;
        case 'fanOut':
          if (this.#isCurrent(next)) this.#fanOut(next.job, submitted);
          break;
        case 'death':
          this.#die(next);
          break;
        case 'declared':
          lost.push(next.runner);
          this.#lose(next.runner);
          break;
        case 'back':
          back.push(next.runner);
          this.#lives[next.runner] = next.life + 1;
          this.#planDeath(next.runner);
          break;
      }
    }
    return { submitted, ended, lost, back, busy: this.#toldBusy() };
  }

  #submit(job: number, submitted: number[]): void {
    this.#submittedMs[job] = this.#nowMs;
    this.#ledger.submit(job);
    submitted.push(job);
  }

  /** A runner that is dead tells nothing, and what ran there is as good as lost. */
  #isCurrent({ job, attempt }: { readonly job: number; readonly attempt: number }): boolean {
    const runner = this.#ledger.runnerOf(job);
    return runner !== null && this.#ledger.attemptsOf(job) === attempt && (this.#lives[runner] as number) > 0;
  }

  #end({ job, attempt, at }: { readonly job: number; readonly attempt: number; readonly at: number }) {
    const outcome = this.#outcomeOf(job);
    this.#ledger.release(job);
    if (outcome === 'failed') {
      this.#counts.failed += 1;
      this.#failed[job] = (this.#failed[job] as number) + 1;
    } else {
      this.#ledger.finish(job);
      this.#lastEndMs = Math.max(this.#lastEndMs, at);
    }
    return { job, attempt, outcome };
  }

  #fanOut(job: number, submitted: number[]): void {
    if (this.#fannedOut[job] !== 0) return;
    this.#fannedOut[job] = 1;
    const first = this.#workload.firstChildOf[job] as number;
    for (let child = first; this.#workload.parentOf[child] === job; child += 1) this.#submit(child, submitted);
  }

  #planDeath(runner: number): void {
    const life = this.#lives[runner] as number;
    const upMs = uptimeMs(this.#workload, runner, life);
    if (upMs !== null) this.#events.push({ kind: 'death', runner, life, at: this.#nowMs + upMs });
    if (life === 1 && diesAtOnce(this.#workload, runner)) {
      this.#events.push({ kind: 'death', runner, life, at: this.#workload.spanMs * DIES_AFTER });
    }
  }

  #die({ runner, life, at }: { readonly runner: number; readonly life: number; readonly at: number }): void {
    if (this.#lives[runner] !== life) return;
    const { leaseMs, downMs } = this.#workload.scenario.faults;
    this.#lives[runner] = -life;
    this.#events.push({ kind: 'declared', runner, life, at: at + leaseMs });
    this.#events.push({ kind: 'back', runner, life, at: at + downMs });
  }

  #lose(runner: number): void {
    for (const job of this.#ledger.jobsAt(runner)) {
      this.#counts.lost += 1;
      this.#ledger.release(job);
    }
  }

  #start(start: Start): void {
    const { job, attempt, runner } = start;
    this.#ledger.start(start);
    this.#counts.starts += 1;
    this.#fingerprint =
      Math.imul(this.#fingerprint ^ job, 0x01000193) ^ Math.imul(runner + 1, 0x85ebca6b) ^ this.#nowMs;
    this.#lastStartMs = this.#nowMs;
    this.#heldAtLastStart = this.#heldMs.slice();
    if (attempt === 1) this.#waitMs[job] = this.#nowMs - (this.#submittedMs[job] as number);
    if ((this.#lives[runner] as number) < 0) return;
    const speed = this.#workload.machines[runner]?.speed ?? 1;
    const ms = attemptMs(this.#workload, job, this.#failed[job] as number, speed);
    this.#events.push({ kind: 'end', job, attempt, at: this.#nowMs + ms });
    const isParent = this.#workload.firstChildOf[job] !== -1 && this.#outcomeOf(job) === 'succeeded';
    if (isParent) this.#events.push({ kind: 'fanOut', job, attempt, at: this.#nowMs + ms / 2 });
  }

  #outcomeOf(job: number): Attempted {
    return (this.#failed[job] as number) < (this.#workload.failures[job] as number) ? 'failed' : 'succeeded';
  }

  #toldBusy(): Float64Array {
    if (this.#nowMs - this.#busyToldMs < this.#workload.scenario.view.gossipMs) return this.#busy;
    this.#busyToldMs = this.#nowMs;
    for (let runner = 0; runner < this.#busy.length; runner += 1)
      this.#busy[runner] = (this.#ledger.usedAt(runner)[0] as number) / 1000;
    return this.#busy;
  }
}
