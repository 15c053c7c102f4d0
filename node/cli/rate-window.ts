interface Sample {
  readonly atMs: number;
  readonly count: number;
}

/** Makes a rate of a count that is told from time to time. */
export class RateWindow {
  readonly #windowMs: number;
  #samples: Sample[] = [];

  /** @param windowMs how far back it looks: short enough to be of now, long enough not to jump */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /**
   * @param atMs of a clock that never goes back
   * @returns how many in a second; null until two moments are known, and where the count went back
   */
  add(count: number, atMs: number): number | null {
    if (count < (this.#samples.at(-1)?.count ?? 0)) this.#samples = [];
    this.#samples.push({ atMs, count });
    // The last one at or before the beginning of the window stays, so that it is covered in full.
    while ((this.#samples[1]?.atMs ?? Infinity) <= atMs - this.#windowMs) this.#samples.shift();
    const first = this.#samples[0];
    if (first === undefined || first.atMs >= atMs) return null;
    return ((count - first.count) * 1000) / (atMs - first.atMs);
  }
}
