import TinyQueue from 'tinyqueue';

/** Whose event it is: one that is dead gets none any more, one that stands still gets them when it goes on. */
export interface Owner {
  readonly life: 'up' | 'paused' | 'dead';
  /** Takes what falls due while it stands still. */
  defer(event: Event): void;
}

export interface Event {
  readonly at: number;
  readonly order: number;
  /** After a pause timers go first, as in Node's event loop. */
  readonly phase: 'timer' | 'arrival';
  readonly owner: Owner | null;
  readonly act: () => void;
}

/** Events that run between two looks at the machine's own event loop. */
const BATCH = 256;

/**
 * Virtual time. Events run one by one; all promises that one of them settles run to their end before the next begins,
 * since Node drains its microtasks between two immediates.
 */
export class EventLoop {
  /** Milliseconds since the beginning of the run. */
  now = 0;
  count = 0;
  readonly #queue = new TinyQueue<Event>([], (left, right) => left.at - right.at || left.order - right.order);
  #order = 0;
  readonly #settled: (owner: Owner | null) => void;
  #state: 'running' | 'stopped' = 'stopped';
  #last: { readonly owner: Owner | null } | null = null;
  #failure: Error | null = null;

  /** @param settled is called when an event and everything that followed from it at once are over */
  constructor(settled: (owner: Owner | null) => void) {
    this.#settled = settled;
  }

  /** Calls `act` in `ms` milliseconds, unless its owner is dead by then. */
  in(ms: number, owner: Owner | null, act: () => void, phase: Event['phase'] = 'arrival'): void {
    this.#order += 1;
    this.#queue.push({ at: this.now + Math.max(ms, 0), order: this.#order, phase, owner, act });
  }

  /** Lets what was deferred happen now: timers first, each in their order. */
  resume(deferred: readonly Event[]): void {
    for (const phase of ['timer', 'arrival'] as const) {
      for (const event of deferred) if (event.phase === phase) this.in(0, event.owner, event.act, phase);
    }
  }

  /** Runs until `stop`. Rejects with what an event throws. */
  run(): Promise<void> {
    this.#state = 'running';
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        if (this.#state === 'stopped') {
          resolve();
          return;
        }
        try {
          this.#turn();
        } catch (error) {
          this.#state = 'stopped';
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      const batch = (): void => {
        for (let i = 0; i < BATCH; i += 1) setImmediate(turn);
        setImmediate(() => (this.#state === 'running' ? batch() : resolve()));
      };
      batch();
    });
  }

  stop(): void {
    this.#state = 'stopped';
  }

  /** Ends the run with this error; for what is found where nobody would hear of a throw. */
  fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
  }

  /** Resolves when so much virtual time has passed. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.in(ms, null, resolve));
  }

  #turn(): void {
    const last = this.#last;
    this.#last = null;
    if (this.#failure !== null) throw this.#failure;
    if (last !== null) this.#settled(last.owner);
    for (let event = this.#queue.pop(); event !== undefined; event = this.#queue.pop()) {
      const { owner } = event;
      this.now = event.at;
      if (owner?.life === 'dead') continue;
      if (owner?.life === 'paused') {
        owner.defer(event);
        continue;
      }
      this.count += 1;
      this.#last = event;
      event.act();
      return;
    }
    this.#state = 'stopped';
  }
}
