import { Fault } from '../../src/errors.ts';
import type { ReplicaLimits, ReplicaTimes } from './limits.ts';
import type { Runtime } from './runtime.ts';

export interface ReadPort {
  /** Names the next request to the core. */
  nextRequest(): number;
  /** Asks for an index that holds everything acknowledged so far; the answer may come before this returns. */
  request(id: number): void;
  waitForApplied(index: number): Promise<void>;
}

interface Round {
  readonly waiters: { readonly resolve: () => void; readonly reject: (error: Error) => void }[];
  readonly deadline: number;
}

/**
 * Linearizable reads (dissertation §6.4): all that arrive while one confirmation is under way share the next.
 */
export class Reader {
  readonly #port: ReadPort;
  readonly #runtime: Runtime;
  readonly #limits: ReplicaLimits;
  readonly #times: ReplicaTimes;
  #next: Round | null = null;
  #current: { readonly id: number; readonly round: Round } | null = null;
  /** Waits for its index to be applied. */
  readonly #confirmed = new Set<Round>();
  #stopped: Fault | null = null;

  constructor(
    port: ReadPort,
    runtime: Runtime,
    options: { readonly limits: ReplicaLimits; readonly times: ReplicaTimes },
  ) {
    this.#port = port;
    this.#runtime = runtime;
    this.#limits = options.limits;
    this.#times = options.times;
  }

  /** Resolves once this node's state holds everything that was acknowledged anywhere before the call. */
  barrier(): Promise<void> {
    if (this.#stopped !== null) return Promise.reject(this.#stopped);
    this.#next ??= { waiters: [], deadline: this.#runtime.now() + this.#times.readDeadlineMs };
    const round = this.#next;
    if (round.waiters.length >= this.#limits.pendingReads) {
      return Promise.reject(new Fault('overloaded', 'too many reads wait for the leader at this node'));
    }
    return new Promise((resolve, reject) => {
      round.waiters.push({ resolve, reject });
      if (this.#current === null) this.#begin();
    });
  }

  readable(id: number, index: number): void {
    if (this.#current?.id !== id) return;
    const { round } = this.#current;
    this.#current = null;
    this.#confirmed.add(round);
    void this.#port.waitForApplied(index).then(() => {
      if (!this.#confirmed.delete(round)) return;
      for (const waiter of round.waiters) waiter.resolve();
    });
    this.#begin();
  }

  /** No leader, or it cannot know yet: again after a pause, until the deadline. */
  refused(id: number): void {
    if (this.#current?.id !== id) return;
    const { round } = this.#current;
    this.#current = null;
    if (this.#runtime.now() > round.deadline) {
      this.#fail(round, new Fault('noLeader', 'no leader answered the read in time'));
      this.#begin();
      return;
    }
    if (this.#next !== null) round.waiters.push(...this.#next.waiters);
    this.#next = round;
    this.#runtime.after(this.#times.retryPauseMs, () => {
      if (this.#current === null) this.#begin();
    });
  }

  stop(fault: Fault): void {
    this.#stopped = fault;
    for (const round of [this.#current?.round, this.#next, ...this.#confirmed]) if (round) this.#fail(round, fault);
    this.#confirmed.clear();
    this.#current = null;
    this.#next = null;
  }

  #begin(): void {
    if (this.#next === null || this.#stopped !== null) return;
    const round = this.#next;
    this.#next = null;
    const id = this.#port.nextRequest();
    this.#current = { id, round };
    this.#port.request(id);
  }

  #fail(round: Round, fault: Fault): void {
    for (const waiter of round.waiters) waiter.reject(fault);
  }
}
