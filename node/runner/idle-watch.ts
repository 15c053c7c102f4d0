import type { OutputSizes } from './output-limit.ts';

/**
 * Whether the outputs of one attempt stand still. It is told their sizes now and then: an attempt is found idle late by
 * the time between two looks, never early.
 */
export class IdleWatch {
  readonly #limitMs: number;
  #bytes = 0;
  #changedAt: number;

  /** @param now milliseconds by a clock that never jumps, as in `look` */
  constructor(limitMs: number, now: number) {
    this.#limitMs = limitMs;
    this.#changedAt = now;
  }

  look({ bytes, cut }: OutputSizes, now: number): 'busy' | 'idle' {
    // What was cut had grown, and is as long as before.
    if (bytes !== this.#bytes || cut.length > 0) this.#changedAt = now;
    this.#bytes = bytes;
    return now - this.#changedAt >= this.#limitMs ? 'idle' : 'busy';
  }
}
