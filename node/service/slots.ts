export interface Slot {
  /** It is at work: without this it is taken for idle after a while, and gives its place to another. */
  touch(): void;
  release(): void;
}

/** Lets so many be at work at once. The others wait in the order in which they came. */
export class Slots {
  readonly #max: number;
  readonly #idleMs: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(options: { readonly max: number; readonly idleMs: number }) {
    this.#max = options.max;
    this.#idleMs = options.idleMs;
  }

  async take(signal: AbortSignal): Promise<Slot> {
    if (this.#taken >= this.#max) await this.#wait(signal);
    signal.throwIfAborted();
    return this.#give();
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    this.#waiting.delete(resolve);
  }

  #give(): Slot {
    this.#taken += 1;
    let held = true;
    const release = (): void => {
      clearTimeout(timer);
      if (!held) return;
      held = false;
      this.#taken -= 1;
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      next();
    };
    const timer = setTimeout(release, this.#idleMs);
    timer.unref();
    return { touch: () => held && timer.refresh(), release };
  }
}
