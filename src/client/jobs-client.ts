import type { BatchLine, ExplanationView, JobView, OutputItem, OutputsView, Page } from '../api/views.ts';
import { isFinalView } from '../api/views.ts';
import type { JobState } from '../jobs/job.ts';
import type { JobSpec } from '../jobs/spec.ts';
import { type CallOptions, type Calls, jsonBody, type PageQuery, queryOf, type WaitOptions } from './calls.ts';
import { followLogs, type LogChunk, type LogOptions } from './follow-logs.ts';
import { type BatchOptions, submitLines } from './submit-batch.ts';

export interface SubmitOptions extends CallOptions {
  /** Repetitions under one key are one job. Made up when left out, so that this call itself may repeat. */
  readonly idempotencyKey?: string;
}

export interface JobQuery extends PageQuery {
  readonly state?: JobState;
  readonly queue?: string;
  readonly project?: string;
  readonly name?: string;
  readonly group?: string;
  readonly parent?: string;
  /** By its name. */
  readonly schedule?: string;
  /** All must match. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface OutputQuery extends PageQuery {
  /** The last one when left out. */
  readonly attempt?: number;
}

export interface JobsClientOptions {
  /** A followed log on which not even a sign of life came for this long is connected anew. */
  readonly silentMs: number;
}

export class JobsClient {
  readonly #calls: Calls;
  readonly #silentMs: number;

  constructor(calls: Calls, { silentMs }: JobsClientOptions) {
    this.#calls = calls;
    this.#silentMs = silentMs;
  }

  /** The job once a quorum holds it. */
  submit(spec: JobSpec, { idempotencyKey, signal }: SubmitOptions = {}): Promise<JobView> {
    const body = jsonBody(spec, { 'idempotency-key': idempotencyKey ?? crypto.randomUUID() });
    return this.#calls.post('/v1/jobs', { ...body, repeat: 'always', signal });
  }

  /** Any number of jobs, answered in order while they are sent. See `submitLines` for what a lost connection does. */
  submitAll(specs: AsyncIterable<JobSpec>, options: BatchOptions = {}): AsyncGenerator<BatchLine, void> {
    return submitLines(this.#calls.transport, toLines(specs), options);
  }

  /** The same for specs that are JSON already, one in a line; the node checks them. */
  submitLines(lines: AsyncIterable<string>, options: BatchOptions = {}): AsyncGenerator<BatchLine, void> {
    return submitLines(this.#calls.transport, lines, options);
  }

  get(id: string, options: CallOptions = {}): Promise<JobView> {
    return this.#calls.get(pathOf(id), options);
  }

  /** One page, newest first. */
  list({ labels, ...query }: JobQuery = {}, options: CallOptions = {}): Promise<Page<JobView>> {
    return this.#calls.get(`/v1/jobs${queryOf(query, labels)}`, options);
  }

  /** Page after page; `limit` is the size of each. */
  async *all(query: JobQuery = {}, options: CallOptions = {}): AsyncGenerator<JobView, void> {
    let cursor: string | null = query.cursor ?? null;
    do {
      const page: Page<JobView> = await this.list({ ...query, ...(cursor === null ? {} : { cursor }) }, options);
      yield* page.items;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  /** The job once it is final, or as it is at the timeout. */
  wait(id: string, options: WaitOptions = {}): Promise<JobView> {
    return this.#calls.poll(`${pathOf(id)}/wait`, isFinalView, options);
  }

  /** `queued` cancels only what does not run yet. A job that runs is final some time after the answer. */
  cancel(
    id: string,
    { mode = 'any', signal }: CallOptions & { readonly mode?: 'any' | 'queued' } = {},
  ): Promise<JobView> {
    return this.#calls.post(`${pathOf(id)}/cancel?mode=${mode}`, { repeat: 'always', signal });
  }

  /** Another attempt for a job that ended other than well. */
  retry(id: string, { signal }: CallOptions = {}): Promise<JobView> {
    return this.#calls.post(`${pathOf(id)}/retry`, { repeat: 'unsent', signal });
  }

  /** Why a job is where it is, in numbers. */
  explain(id: string, options: CallOptions = {}): Promise<ExplanationView> {
    return this.#calls.get(`${pathOf(id)}/explain`, options);
  }

  /** One page of what a job left. */
  outputs(id: string, query: OutputQuery = {}, options: CallOptions = {}): Promise<OutputsView> {
    return this.#calls.get(`${pathOf(id)}/outputs${queryOf({ ...query })}`, options);
  }

  /** All of it, each folder before what it holds. */
  async *allOutputs(
    id: string,
    { attempt }: Pick<OutputQuery, 'attempt'> = {},
    options: CallOptions = {},
  ): AsyncGenerator<OutputItem, void> {
    let cursor: string | null = null;
    do {
      const query: OutputQuery = { ...(attempt && { attempt }), ...(cursor === null ? {} : { cursor }) };
      const page: OutputsView = await this.outputs(id, query, options);
      yield* page.items;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  /** The bytes of one file of it. UnreachableError when the connection breaks. */
  output(
    id: string,
    path: string,
    { attempt }: Pick<OutputQuery, 'attempt'> = {},
    options: CallOptions = {},
  ): Promise<AsyncGenerator<Uint8Array, void>> {
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    return this.#calls.bytes(`${pathOf(id)}/outputs/${encoded}${queryOf({ attempt })}`, options);
  }

  /** What it wrote: each byte once, in order within its stream, over as many connections as it takes. */
  logs(id: string, options: LogOptions = {}): AsyncGenerator<LogChunk, void> {
    const { transport, reconnectMs } = this.#calls;
    const job = () =>
      this.#calls.json<JobView>({
        method: 'GET',
        path: pathOf(id),
        repeat: 'always',
        unreachableMs: reconnectMs,
        signal: options.signal,
      });
    return followLogs({ transport, job, reconnectMs, silentMs: this.#silentMs }, id, options);
  }
}

function pathOf(id: string): string {
  return `/v1/jobs/${encodeURIComponent(id)}`;
}

async function* toLines(specs: AsyncIterable<JobSpec>): AsyncGenerator<string, void> {
  for await (const spec of specs) yield JSON.stringify(spec);
}
