/** So many bytes a second, on average from when they are asked for: a large one pays afterwards. */
export class Pace {
  readonly #bytesPerSecond: number;
  readonly #clock: () => number;
  readonly #sleep: (ms: number) => Promise<unknown>;
  #freeAt = 0;

  /** @param clock in milliseconds, one that does not jump */
  constructor(bytesPerSecond: number, clock: () => number, sleep: (ms: number) => Promise<unknown>) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
    this.#sleep = sleep;
  }

  /** Returns when so many may go. */
  async take(bytes: number): Promise<void> {
    const now = this.#clock();
    const at = Math.max(now, this.#freeAt);
    this.#freeAt = at + (bytes / this.#bytesPerSecond) * 1000;
    if (at > now) await this.#sleep(at - now);
  }
}
