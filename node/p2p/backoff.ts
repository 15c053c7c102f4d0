/** Delays that double up to a bound, each between half and all of it so that many who failed at once spread out. */
export class Backoff {
  readonly #random: () => number;
  readonly #minMs: number;
  readonly #maxMs: number;
  #failures = 0;

  constructor(random: () => number, options: { readonly minMs: number; readonly maxMs: number }) {
    this.#random = random;
    this.#minMs = options.minMs;
    this.#maxMs = options.maxMs;
  }

  get failures(): number {
    return this.#failures;
  }

  reset(): void {
    this.#failures = 0;
  }

  /** Counts a failure and says how long to wait. */
  nextDelayMs(): number {
    const full = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return full * (0.5 + this.#random() / 2);
  }
}
