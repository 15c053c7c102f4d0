import type { Page, QueueView } from '../api/views.ts';
import { type CallOptions, type Calls, jsonBody, type PageQuery, queryOf, type ReadOptions } from './calls.ts';

/** What is left out stays as it is. */
export interface QueueRequest {
  readonly weight?: number;
  readonly paused?: boolean;
  readonly strategy?: 'spread' | 'pack';
  /** Whether its jobs may be stopped, and queued again, to make room for jobs of higher priority. */
  readonly preemption?: 'off' | 'requeue';
  /** Of all its jobs that run at once. */
  readonly limits?: QueueLimitsRequest;
  /** The same for each project in it. */
  readonly projectLimits?: QueueLimitsRequest;
}

/** Null lifts a limit. */
export interface QueueLimitsRequest {
  readonly running?: number | null;
  readonly cpu?: number | null;
  /** Bytes, or a size such as `512MiB`. */
  readonly memory?: number | string | null;
}

export class QueuesClient {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** One page, by name: queues that are set, hold a queued job or run one. */
  list(query: PageQuery = {}, { consistency, ...options }: ReadOptions = {}): Promise<Page<QueueView>> {
    return this.#calls.get(`/v1/queues${queryOf({ ...query, consistency })}`, options);
  }

  get(name: string, options: CallOptions = {}): Promise<QueueView> {
    return this.#calls.get(pathOf(name), options);
  }

  set(name: string, request: QueueRequest, { signal }: CallOptions = {}): Promise<QueueView> {
    return this.#calls.json({ method: 'PUT', path: pathOf(name), ...jsonBody(request), repeat: 'always', signal });
  }

  /** Back to what holds by default; its jobs stay. */
  reset(name: string, { signal }: CallOptions = {}): Promise<QueueView> {
    return this.#calls.json({ method: 'DELETE', path: pathOf(name), repeat: 'always', signal });
  }
}

function pathOf(name: string): string {
  return `/v1/queues/${encodeURIComponent(name)}`;
}
