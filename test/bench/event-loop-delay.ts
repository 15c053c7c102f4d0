import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { NodeApi } from '../support/node-api.ts';

const RESOLUTION_MS = 2;
const LONGEST = /^quorate_event_loop_delay_seconds\{quantile="1"\} (\S+)$/m;

/** The longest delay of a node's event loop since this was asked before, in milliseconds. */
export async function longestDelayMs(api: NodeApi): Promise<number> {
  const { text } = await api.http.get('/metrics');
  return Number(LONGEST.exec(text)?.[1]) * 1000;
}

/** The same of this process. */
export class DelayWatch {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#histogram.enable();
  }

  restart(): void {
    this.#histogram.reset();
  }

  get longestMs(): number {
    return Math.max(0, this.#histogram.max / 1e6 - RESOLUTION_MS);
  }
}
