import { Rejection } from '../../src/errors.ts';
import { LIMITS, type LimitName } from '../../src/limits.ts';

/** Counts who follows something at this node, within a limit. */
export class Followers {
  readonly #limit: LimitName;
  #count = 0;

  constructor(limit: LimitName) {
    this.#limit = limit;
  }

  get count(): number {
    return this.#count;
  }

  /** Until the signal ends it. @throws Rejection `tooManyRequests` */
  admit(signal: AbortSignal): void {
    signal.throwIfAborted();
    const value = LIMITS[this.#limit];
    if (this.#count >= value) {
      throw new Rejection('tooManyRequests', `${value} requests follow at this node already`, {
        limit: { name: this.#limit, value },
      });
    }
    this.#count += 1;
    signal.addEventListener('abort', () => (this.#count -= 1), { once: true });
  }
}
