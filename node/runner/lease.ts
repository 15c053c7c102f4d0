import { uptime } from 'node:os';

/** Goes on while the machine sleeps, where the system can tell; never jumps with the wall clock. */
export function bootClockMs(): number {
  return process.platform === 'linux' ? uptime() * 1000 : performance.now();
}

/** Says until when jobs may run without the node being heard. */
export interface Lease {
  renew(ms: number | null): void;
  isOver(): boolean;
}

export function createLease({ clockMs }: { readonly clockMs: () => number }): Lease {
  let until: number | null = null;
  return {
    renew(ms) {
      until = ms === null ? null : clockMs() + ms;
    },
    isOver() {
      return until !== null && clockMs() >= until;
    },
  };
}
