import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ChangeEvent } from '../../src/state/apply.ts';
import { countsByState, queuedByQueue } from '../../src/state/queries.ts';
import type { ClusterState } from '../../src/state/state.ts';

const LATENCY_BUCKETS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3, 10, 60, 600];

/** What the queue does, as this node's replica sees it. Times are the leader's, from entry to entry. */
export class JobMetrics {
  readonly #finished: Counter<'state'>;
  readonly #queueSeconds: Histogram;
  readonly #totalSeconds: Histogram;

  constructor(registry: Registry, state: () => ClusterState) {
    const registers = [registry];
    new Gauge({
      name: 'quorate_jobs',
      help: 'Jobs that are not final, by state.',
      labelNames: ['state'],
      registers,
      collect() {
        for (const [name, count] of Object.entries(countsByState(state()))) this.set({ state: name }, count);
      },
    });
    new Gauge({
      name: 'quorate_queue_length',
      help: 'Jobs that wait for a runner, by queue.',
      labelNames: ['queue'],
      registers,
      collect() {
        this.reset();
        for (const [queue, { size }] of queuedByQueue(state())) this.set({ queue }, size);
      },
    });
    this.#finished = new Counter({
      name: 'quorate_jobs_finished_total',
      help: 'Jobs that became final, by state, since this node started.',
      labelNames: ['state'],
      registers,
    });
    this.#queueSeconds = new Histogram({
      name: 'quorate_job_queue_seconds',
      help: 'From submission to the assignment of the first attempt.',
      buckets: LATENCY_BUCKETS,
      registers,
    });
    this.#totalSeconds = new Histogram({
      name: 'quorate_job_total_seconds',
      help: 'From submission to the final state.',
      buckets: LATENCY_BUCKETS,
      registers,
    });
  }

  changed(events: readonly ChangeEvent[]): void {
    for (const event of events) {
      if (event.kind !== 'job') continue;
      const { job, before } = event;
      if (job.state === 'assigned' && job.past.length === 0 && before !== 'assigned') {
        this.#queueSeconds.observe((job.current.assignedAt - job.submittedAt) / 1000);
      }
      if ('finalAt' in job) {
        this.#finished.inc({ state: job.state });
        this.#totalSeconds.observe((job.finalAt - job.submittedAt) / 1000);
      }
    }
  }
}
