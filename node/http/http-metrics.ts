import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Method } from './route.ts';

export interface HttpMetrics {
  /** @param path the route's pattern, never the URL. */
  answered(method: Method | 'other', path: string, status: number, seconds: number): void;
  batchLine(outcome: 'accepted' | 'refused', count: number): void;
}

export interface HttpGauges {
  requestsInFlight(): number;
  logFollowers(): number;
  eventFollowers(): number;
}

export function createHttpMetrics(registry: Registry, gauges: HttpGauges): HttpMetrics {
  const durations = new Histogram({
    name: 'quorate_http_request_duration_seconds',
    help: 'From the head of a request to the end of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [registry],
  });
  const lines = new Counter({
    name: 'quorate_http_batch_lines_total',
    help: 'Lines of batches by what became of them.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  gauge(registry, 'quorate_http_requests_in_flight', 'Requests whose answer is not finished.', gauges.requestsInFlight);
  gauge(registry, 'quorate_http_log_followers', 'Requests that follow a log.', gauges.logFollowers);
  gauge(registry, 'quorate_http_event_followers', 'Requests that follow events.', gauges.eventFollowers);
  // One child a route and status: looking labels up by hash at every request costs more than the observation.
  const children = new Map<string, Histogram.Internal<'method' | 'route' | 'status'>>();

  return {
    answered(method, path, status, seconds) {
      const key = `${method} ${path} ${status}`;
      let child = children.get(key);
      if (child === undefined) {
        child = durations.labels({ method, route: path, status: String(status) });
        children.set(key, child);
      }
      child.observe(seconds);
    },
    batchLine(outcome, count) {
      if (count > 0) lines.inc({ outcome }, count);
    },
  };
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}
