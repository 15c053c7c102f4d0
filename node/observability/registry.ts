import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

const DELAY_RESOLUTION_MS = 10;
const NANOSECONDS = 1e9;

/** The node's metrics; each part declares its own in it. */
export function createRegistry(): { readonly registry: Registry; stop(): void } {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: DELAY_RESOLUTION_MS });
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  new Gauge({
    name: 'quorate_event_loop_delay_seconds',
    help: 'How late the main thread turned since the last scrape, by quantile; consensus runs on it.',
    labelNames: ['quantile'],
    registers: [registry],
    collect() {
      for (const quantile of [50, 99, 100]) {
        this.set({ quantile: String(quantile / 100) }, delaySeconds(delay.percentile(quantile)));
      }
      delay.reset();
    },
  });
  return { registry, stop: () => delay.disable() };
}

/** @param sampleNs between two turns of the timer that measures: its period is no delay */
export function delaySeconds(sampleNs: number): number {
  return Math.max(0, sampleNs / NANOSECONDS - DELAY_RESOLUTION_MS / 1000);
}
