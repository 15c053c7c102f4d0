/** Time and chance as the replica meets them; the simulator has its own. */
export interface Runtime {
  /** Milliseconds by a clock that never jumps; only differences count. */
  now(): number;
  /** Milliseconds since 1970 by a clock that may jump either way. */
  date(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Calls once, not before `ms` have passed. */
  after(ms: number, action: () => void): Timer;
  /** Calls again and again, with `ms` or more in between. */
  every(ms: number, action: () => void): Timer;
  /** Calls once everything that has arrived by now was dealt with, as Node's `setImmediate`. */
  soon(action: () => void): void;
}

export interface Timer {
  stop(): void;
}
