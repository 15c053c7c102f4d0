import type { GroupView, Page } from '../api/views.ts';
import { type CallOptions, type Calls, jsonBody, type PageQuery, queryOf, type WaitOptions } from './calls.ts';
import type { SubmitOptions } from './jobs-client.ts';

export interface GroupRequest {
  readonly name?: string;
  readonly project?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** How many of its jobs are queued or run at once. */
  readonly maxRunning?: number;
  /** The first job that ends badly cancels the others. */
  readonly failFast?: boolean;
}

/** Sets of jobs that take more until they are closed. */
export class GroupsClient {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  create(request: GroupRequest = {}, { idempotencyKey, signal }: SubmitOptions = {}): Promise<GroupView> {
    const body = jsonBody(request, { 'idempotency-key': idempotencyKey ?? crypto.randomUUID() });
    return this.#calls.post('/v1/groups', { ...body, repeat: 'always', signal });
  }

  get(id: string, options: CallOptions = {}): Promise<GroupView> {
    return this.#calls.get(pathOf(id), options);
  }

  /** One page, newest first. */
  list(query: PageQuery = {}, options: CallOptions = {}): Promise<Page<GroupView>> {
    return this.#calls.get(`/v1/groups${queryOf({ ...query })}`, options);
  }

  /** It takes no more jobs. */
  close(id: string, { signal }: CallOptions = {}): Promise<GroupView> {
    return this.#calls.post(`${pathOf(id)}/close`, { repeat: 'always', signal });
  }

  /** It takes no more jobs, and those that it has are cancelled. */
  cancel(id: string, { signal }: CallOptions = {}): Promise<GroupView> {
    return this.#calls.post(`${pathOf(id)}/cancel`, { repeat: 'always', signal });
  }

  /** The group once it is closed and all its jobs are final, or as it is at the timeout. */
  wait(id: string, options: WaitOptions = {}): Promise<GroupView> {
    return this.#calls.poll(`${pathOf(id)}/wait`, ({ state }: GroupView) => state === 'finished', options);
  }
}

function pathOf(id: string): string {
  return `/v1/groups/${encodeURIComponent(id)}`;
}
