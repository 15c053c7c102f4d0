import { LEASE_MARGIN } from '../../raft/reading.ts';

/** Clocks of different nodes run at different speeds; a voter's promise may begin just before one of its ticks. */
const DRIFT_MARGIN = 0.07;

/**
 * Ticks are the core's only time, and timers are late: by a little each, or by a lot when the process stood still. A
 * lease that is young in ticks may then be over for the voters that granted it. This tells so, however the delay came
 * about, and before anything is answered after it.
 */
export class TickWatch {
  readonly #limitMs: number;
  readonly #window: number;
  /** When the last ticks were, oldest first: those at which a lease that still counts may have begun. */
  #times: number[] = [];

  constructor(options: { readonly tickMs: number; readonly electionTicks: number }) {
    const { tickMs, electionTicks } = options;
    this.#window = Math.ceil(electionTicks * (1 - LEASE_MARGIN));
    this.#limitMs = (electionTicks - 1) * tickMs * (1 - DRIFT_MARGIN);
  }

  ticked(now: number): void {
    this.#times.push(now);
    if (this.#times.length > this.#window) this.#times.shift();
  }

  /** True once for each delay: ticks before this do not count for a lease any more. */
  hasLostTime(now: number): boolean {
    const [oldest] = this.#times;
    if (oldest === undefined || now - oldest <= this.#limitMs) return false;
    this.#times = [];
    return true;
  }
}
