import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { AttemptEvent } from './messages.ts';
import { attemptName } from './layout.ts';
import type { AttemptKey } from './ports.ts';

export interface SupervisorMetrics {
  asked(key: AttemptKey): void;
  saw(event: AttemptEvent): void;
  forgot(key: AttemptKey): void;
  lostRunner(): void;
}

/** Events may come more than once and are counted once. */
export function createSupervisorMetrics(registry: Registry | null): SupervisorMetrics {
  const registers = registry === null ? [] : [registry];
  const askedAt = new Map<string, number>();
  const running = new Set<string>();
  const ended = new Set<string>();
  const attempts: Gauge = new Gauge({
    name: 'quorate_runner_attempts',
    help: 'Attempts that run on this machine.',
    registers,
    collect(): void {
      attempts.set(running.size);
    },
  });
  const starts = new Counter({ name: 'quorate_runner_starts_total', help: 'Attempts that were started.', registers });
  const latency = new Histogram({
    name: 'quorate_runner_start_seconds',
    help: 'From the asking for a start to the news of it.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers,
  });
  const outcomes = new Counter({
    name: 'quorate_runner_outcomes_total',
    help: 'Attempts that ended.',
    labelNames: ['outcome'],
    registers,
  });
  const losses = new Counter({ name: 'quorate_runner_losses_total', help: 'Runner processes that died.', registers });

  return {
    asked(key) {
      const name = attemptName(key);
      if (!running.has(name) && !ended.has(name) && !askedAt.has(name)) askedAt.set(name, performance.now());
    },
    saw(event) {
      const name = attemptName(event);
      const asked = askedAt.get(name);
      askedAt.delete(name);
      const isNews = !running.has(name) && !ended.has(name);
      if (isNews && (event.kind === 'started' || event.startedAt !== null)) {
        starts.inc();
        if (asked !== undefined) latency.observe((performance.now() - asked) / 1000);
      }
      if (event.kind === 'started') {
        if (isNews) running.add(name);
        return;
      }
      running.delete(name);
      if (!ended.has(name)) outcomes.inc({ outcome: event.end.outcome });
      ended.add(name);
    },
    forgot(key) {
      ended.delete(attemptName(key));
    },
    lostRunner() {
      losses.inc();
      running.clear();
      askedAt.clear();
    },
  };
}
