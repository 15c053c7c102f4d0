import type { FiringView, ScheduleView } from '../api/schedule-view.ts';
import type { Page } from '../api/views.ts';
import type { JobSpec } from '../jobs/spec.ts';
import { type CallOptions, type Calls, jsonBody, type PageQuery, queryOf } from './calls.ts';
import type { SubmitOptions } from './jobs-client.ts';

/** What is left out stays as it is. */
export interface ScheduleChange {
  /** Five fields, or six with seconds, or seven with a year; or `@daily` and the like. */
  readonly cron?: string;
  /** Its IANA name. */
  readonly timeZone?: string;
  readonly spec?: JobSpec;
  /** What a firing does while a job of the schedule is not final. */
  readonly overlap?: ScheduleView['overlap'];
  /** A duration: how late a firing may still be made up. */
  readonly catchUp?: string;
  readonly paused?: boolean;
}

/** What is left out is as by default: UTC, `skip`, an hour, and not paused. */
export interface ScheduleRequest extends ScheduleChange {
  readonly name: string;
  readonly cron: string;
  readonly spec: JobSpec;
}

export class SchedulesClient {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** The same again changes nothing; another one under the name of one that is there is refused. */
  create(request: ScheduleRequest, { signal }: CallOptions = {}): Promise<ScheduleView> {
    return this.#calls.post('/v1/schedules', { ...jsonBody(request), repeat: 'always', signal });
  }

  /** One page, by name. */
  list(query: PageQuery = {}, options: CallOptions = {}): Promise<Page<ScheduleView>> {
    return this.#calls.get(`/v1/schedules${queryOf({ ...query })}`, options);
  }

  get(name: string, options: CallOptions = {}): Promise<ScheduleView> {
    return this.#calls.get(pathOf(name), options);
  }

  set(name: string, change: ScheduleChange, { signal }: CallOptions = {}): Promise<ScheduleView> {
    return this.#calls.json({ method: 'PUT', path: pathOf(name), ...jsonBody(change), repeat: 'always', signal });
  }

  /** Fires it at once. */
  trigger(name: string, { idempotencyKey, signal }: SubmitOptions = {}): Promise<FiringView> {
    const headers = { 'idempotency-key': idempotencyKey ?? crypto.randomUUID() };
    return this.#calls.post(`${pathOf(name)}/trigger`, { headers, repeat: 'always', signal });
  }

  /** Its jobs stay. */
  delete(name: string, { signal }: CallOptions = {}): Promise<void> {
    return this.#calls.nothing({ method: 'DELETE', path: pathOf(name), repeat: 'unsent', signal });
  }
}

function pathOf(name: string): string {
  return `/v1/schedules/${encodeURIComponent(name)}`;
}
