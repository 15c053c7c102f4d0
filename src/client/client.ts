import type {
  BatchLine,
  ClusterView,
  CreatedJoinToken,
  CreatedToken,
  ExplanationView,
  GroupView,
  InvitationView,
  JobView,
  Page,
  QueueView,
  RunnerView,
  TokenView,
} from '../api/views.ts';
import { isFinalView } from '../api/views.ts';
import type { Scope } from '../auth.ts';
import type { JobState } from '../jobs/job.ts';
import type { JobSpec } from '../jobs/spec.ts';
import { UnreachableError } from './client-error.ts';
import { followLogs, type LogChunk, type LogOptions } from './follow-logs.ts';
import { failureOf } from './network-failure.ts';
import { readChunks, readJson, readNothing } from './read-body.ts';
import { type BatchOptions, submitLines } from './submit-batch.ts';
import { type ApiRequest, type RequestBody, Transport, type TransportOptions } from './transport.ts';

export interface ClientOptions extends TransportOptions {
  /** How long a wait or a followed log outlasts the absence of every node. */
  readonly reconnectMs?: number;
  /** A followed log on which not even a sign of life came for this long is connected anew. */
  readonly silentMs?: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface SubmitOptions extends CallOptions {
  /** Repetitions under one key are one job. Made up when left out, so that this call itself may repeat. */
  readonly idempotencyKey?: string;
}

export interface JobQuery {
  readonly state?: JobState;
  readonly queue?: string;
  readonly project?: string;
  readonly name?: string;
  readonly group?: string;
  readonly parent?: string;
  /** All must match. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
}

export interface GroupRequest {
  readonly name?: string;
  readonly project?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** How many of its jobs are queued or run at once. */
  readonly maxRunning?: number;
  /** The first job that ends badly cancels the others. */
  readonly failFast?: boolean;
}

/** What is left out stays as it is. */
export interface QueueRequest {
  readonly weight?: number;
  readonly paused?: boolean;
  readonly strategy?: 'spread' | 'pack';
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

export interface WaitOptions extends CallOptions {
  /** Answers with the job as it is when it is over; for ever when left out. */
  readonly timeoutMs?: number;
}

const DEFAULT_RECONNECT_MS = 60_000;
/** Three times the pause between a node's signs of life. */
const DEFAULT_SILENT_MS = 45_000;
/** One long poll. Short enough for proxies that end silent requests after a minute. */
const POLL_MS = 30_000;

/**
 * Speaks the job API with a cluster through any of its nodes, in Node and in browsers. Calls that may be repeated are
 * sent to the next address when a node is away. All methods throw the errors of client-error.ts.
 */
export class QuorateClient {
  readonly #transport: Transport;
  readonly #reconnectMs: number;
  readonly #silentMs: number;

  /** @throws TypeError when there is no address or one is not a URL */
  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
    this.#reconnectMs = options.reconnectMs ?? DEFAULT_RECONNECT_MS;
    this.#silentMs = options.silentMs ?? DEFAULT_SILENT_MS;
  }

  /** The job once a quorum holds it. */
  submit(spec: JobSpec, { idempotencyKey, signal }: SubmitOptions = {}): Promise<JobView> {
    return this.#json({
      method: 'POST',
      path: '/v1/jobs',
      ...jsonBody(spec, { 'idempotency-key': idempotencyKey ?? crypto.randomUUID() }),
      repeat: 'always',
      signal,
    });
  }

  /** Any number of jobs, answered in order while they are sent. See `submitLines` for what a lost connection does. */
  submitBatch(specs: AsyncIterable<JobSpec>, options: BatchOptions = {}): AsyncGenerator<BatchLine, void> {
    return submitLines(this.#transport, toLines(specs), options);
  }

  /** The same for specs that are JSON already, one in a line; the node checks them. */
  submitBatchLines(lines: AsyncIterable<string>, options: BatchOptions = {}): AsyncGenerator<BatchLine, void> {
    return submitLines(this.#transport, lines, options);
  }

  job(id: string, { signal }: CallOptions = {}): Promise<JobView> {
    return this.#get(jobPath(id), signal);
  }

  /** One page, newest first. */
  jobs(query: JobQuery = {}, { signal }: CallOptions = {}): Promise<Page<JobView>> {
    return this.#get(`/v1/jobs${queryOf(query)}`, signal);
  }

  /** Page after page; `limit` is the size of each. */
  async *allJobs(query: JobQuery = {}, options: CallOptions = {}): AsyncGenerator<JobView, void> {
    let cursor: string | null = query.cursor ?? null;
    do {
      const page: Page<JobView> = await this.jobs({ ...query, ...(cursor === null ? {} : { cursor }) }, options);
      yield* page.items;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  /** The job once it is final, or as it is at the timeout. */
  wait(id: string, { timeoutMs, signal }: WaitOptions = {}): Promise<JobView> {
    return this.#poll(`${jobPath(id)}/wait`, isFinalView, timeoutMs, signal);
  }

  /** `queued` cancels only what does not run yet. A job that runs is final some time after the answer. */
  cancel(
    id: string,
    { mode = 'any', signal }: CallOptions & { readonly mode?: 'any' | 'queued' } = {},
  ): Promise<JobView> {
    return this.#post(`${jobPath(id)}/cancel?mode=${mode}`, { repeat: 'always', signal });
  }

  /** Another attempt for a job that ended other than well. */
  retry(id: string, { signal }: CallOptions = {}): Promise<JobView> {
    return this.#post(`${jobPath(id)}/retry`, { repeat: 'unsent', signal });
  }

  /** Why a job is where it is, in numbers. */
  explain(id: string, { signal }: CallOptions = {}): Promise<ExplanationView> {
    return this.#get(`${jobPath(id)}/explain`, signal);
  }

  /** A set of jobs that takes more until it is closed. */
  createGroup(request: GroupRequest = {}, { signal }: CallOptions = {}): Promise<GroupView> {
    return this.#post('/v1/groups', { ...jsonBody(request), repeat: 'unsent', signal });
  }

  group(id: string, { signal }: CallOptions = {}): Promise<GroupView> {
    return this.#get(groupPath(id), signal);
  }

  /** One page, newest first. */
  groups(query: Pick<JobQuery, 'limit' | 'cursor'> = {}, { signal }: CallOptions = {}): Promise<Page<GroupView>> {
    return this.#get(`/v1/groups${queryOf(query)}`, signal);
  }

  /** It takes no more jobs. */
  closeGroup(id: string, { signal }: CallOptions = {}): Promise<GroupView> {
    return this.#post(`${groupPath(id)}/close`, { repeat: 'always', signal });
  }

  /** It takes no more jobs, and those that it has are cancelled. */
  cancelGroup(id: string, { signal }: CallOptions = {}): Promise<GroupView> {
    return this.#post(`${groupPath(id)}/cancel`, { repeat: 'always', signal });
  }

  /** The group once it is closed and all its jobs are final, or as it is at the timeout. */
  waitForGroup(id: string, { timeoutMs, signal }: WaitOptions = {}): Promise<GroupView> {
    return this.#poll(`${groupPath(id)}/wait`, (group: GroupView) => group.state === 'finished', timeoutMs, signal);
  }

  /** One page, by name: queues that are set, hold a queued job or run one. */
  queues(query: Pick<JobQuery, 'limit' | 'cursor'> = {}, { signal }: CallOptions = {}): Promise<Page<QueueView>> {
    return this.#get(`/v1/queues${queryOf(query)}`, signal);
  }

  queue(name: string, { signal }: CallOptions = {}): Promise<QueueView> {
    return this.#get(queuePath(name), signal);
  }

  setQueue(name: string, request: QueueRequest, { signal }: CallOptions = {}): Promise<QueueView> {
    return this.#json({ method: 'PUT', path: queuePath(name), ...jsonBody(request), repeat: 'always', signal });
  }

  /** Back to what holds by default; its jobs stay. */
  resetQueue(name: string, { signal }: CallOptions = {}): Promise<QueueView> {
    return this.#json({ method: 'DELETE', path: queuePath(name), repeat: 'always', signal });
  }

  /** Each byte once, in order within its stream, over as many connections as it takes. */
  logs(id: string, options: LogOptions = {}): AsyncGenerator<LogChunk, void> {
    const { signal } = options;
    const job = () =>
      this.#json<JobView>({
        method: 'GET',
        path: jobPath(id),
        repeat: 'always',
        unreachableMs: this.#reconnectMs,
        signal,
      });
    const source = { transport: this.#transport, job, reconnectMs: this.#reconnectMs, silentMs: this.#silentMs };
    return followLogs(source, id, options);
  }

  async runners({ signal }: CallOptions = {}): Promise<readonly RunnerView[]> {
    return (await this.#get<Page<RunnerView>>('/v1/runners', signal)).items;
  }

  /** `drain` gives a runner no further jobs; `undrain` gives it jobs again. */
  setRunnerMode(id: string, mode: 'drain' | 'undrain', { signal }: CallOptions = {}): Promise<RunnerView> {
    return this.#post(`/v1/runners/${encodeURIComponent(id)}/${mode}`, { repeat: 'always', signal });
  }

  /** `stale` answers without a leader. */
  cluster({ consistency = 'linearizable', signal }: CallOptions & Consistency = {}): Promise<ClusterView> {
    return this.#get(`/v1/cluster?consistency=${consistency}`, signal);
  }

  /**
   * `voter` promotes a learner, `learner` demotes a voter for good, `automatic` lets the leader decide again.
   * @param request `force`: even when no majority of the voters would be alive
   */
  setMemberRole(
    request: { readonly id: string; readonly role: 'voter' | 'learner' | 'automatic'; readonly force?: boolean },
    { signal }: CallOptions = {},
  ): Promise<ClusterView> {
    const path = '/v1/cluster/members';
    return this.#post(path, { ...jsonBody(request), repeat: 'always', waitsMs: MEMBERSHIP_MS, signal });
  }

  /** A join token for one machine, with the command to run there. `ttl` is a duration; an hour when left out. */
  inviteMember(request: { readonly ttl?: string } = {}, { signal }: CallOptions = {}): Promise<InvitationView> {
    return this.#post('/v1/cluster/members', { ...jsonBody(request), repeat: 'unsent', signal });
  }

  removeMember(
    id: string,
    { force = false, signal }: CallOptions & { readonly force?: boolean } = {},
  ): Promise<ClusterView> {
    const query = force ? '?force=true' : '';
    return this.#json({
      method: 'DELETE',
      path: `/v1/cluster/members/${encodeURIComponent(id)}${query}`,
      repeat: 'always',
      waitsMs: MEMBERSHIP_MS,
      signal,
    });
  }

  /** Resolves once the member leads. */
  transferLeadership(to: string, { signal }: CallOptions = {}): Promise<ClusterView> {
    return this.#post('/v1/cluster/transfer', {
      ...jsonBody({ to }),
      repeat: 'always',
      waitsMs: MEMBERSHIP_MS,
      signal,
    });
  }

  /** @param settings what is left out stays. `replaceDeadAfter` is a duration, `automatic` or `never` */
  setClusterSettings(
    settings: { readonly voters?: number; readonly replaceDeadAfter?: string },
    { signal }: CallOptions = {},
  ): Promise<ClusterView> {
    return this.#json({
      method: 'PUT',
      path: '/v1/cluster/settings',
      ...jsonBody(settings),
      repeat: 'always',
      signal,
    });
  }

  async tokens({ signal }: CallOptions = {}): Promise<readonly TokenView[]> {
    return (await this.#get<Page<TokenView>>('/v1/tokens', signal)).items;
  }

  /** @param request `ttl` is a duration such as `12h`; for ever when left out */
  createToken(
    request: { readonly name: string; readonly scopes: readonly Scope[]; readonly ttl?: string },
    { signal }: CallOptions = {},
  ): Promise<CreatedToken> {
    return this.#post('/v1/tokens', { ...jsonBody(request), repeat: 'unsent', signal });
  }

  createJoinToken(
    request: { readonly uses?: number; readonly ttl?: string } = {},
    { signal }: CallOptions = {},
  ): Promise<CreatedJoinToken> {
    return this.#post('/v1/tokens/join', { ...jsonBody(request), repeat: 'unsent', signal });
  }

  async revokeToken(id: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#transport.send(
      { method: 'DELETE', path: `/v1/tokens/${encodeURIComponent(id)}`, repeat: 'unsent', signal },
      readNothing,
    );
  }

  /**
   * Stores bytes under their SHA-256.
   * @param body called for each try
   * @param transferMs how long the transfer may take
   */
  async putBlob(
    hash: string,
    body: () => RequestBody,
    { transferMs, signal }: CallOptions & { readonly transferMs?: number } = {},
  ): Promise<void> {
    await this.#transport.send(
      {
        method: 'PUT',
        path: blobPath(hash),
        body,
        headers: { 'content-type': 'application/octet-stream' },
        repeat: 'always',
        waitsMs: transferMs ?? BLOB_TRANSFER_MS,
        signal,
      },
      readNothing,
    );
  }

  /** The bytes as they come; checking their hash is the caller's. UnreachableError when the connection breaks. */
  async getBlob(hash: string, { signal }: CallOptions = {}): Promise<AsyncGenerator<Uint8Array, void>> {
    const response = await this.#transport.send(
      {
        method: 'GET',
        path: blobPath(hash),
        headers: { accept: 'application/octet-stream' },
        repeat: 'always',
        signal,
      },
      (answer) => answer,
    );
    return readWhole(response, signal);
  }

  /** The whole state as of one moment; checking it is the caller's. UnreachableError when the connection breaks. */
  async backup({ signal }: CallOptions = {}): Promise<AsyncGenerator<Uint8Array, void>> {
    const response = await this.#transport.send(
      {
        method: 'GET',
        path: '/v1/cluster/backup',
        headers: { accept: 'application/octet-stream' },
        repeat: 'always',
        signal,
      },
      (answer) => answer,
    );
    return readWhole(response, signal);
  }

  async #poll<Value>(
    path: string,
    isOver: (value: Value) => boolean,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Value> {
    const endsAt = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
    for (;;) {
      const pollMs = Math.round(Math.min(POLL_MS, Math.max(0, endsAt - performance.now())));
      const value = await this.#json<Value>({
        method: 'GET',
        path: `${path}?timeout=${pollMs}ms`,
        repeat: 'always',
        waitsMs: pollMs,
        unreachableMs: this.#reconnectMs,
        signal,
      });
      if (isOver(value) || performance.now() >= endsAt) return value;
    }
  }

  #get<Value>(path: string, signal: AbortSignal | undefined): Promise<Value> {
    return this.#json({ method: 'GET', path, repeat: 'always', signal });
  }

  #post<Value>(path: string, rest: Omit<ApiRequest, 'method' | 'path'>): Promise<Value> {
    return this.#json({ method: 'POST', path, ...rest });
  }

  #json<Value>(request: ApiRequest): Promise<Value> {
    return this.#transport.send(request, readJson<Value>);
  }
}

interface Consistency {
  readonly consistency?: 'linearizable' | 'stale';
}

/** A node waits so long for a change of the membership before it answers that it may still come. */
const MEMBERSHIP_MS = 40_000;
const BLOB_TRANSFER_MS = 60 * 60 * 1000;

async function* readWhole(response: Response, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void> {
  try {
    yield* readChunks(response);
  } catch (error) {
    signal?.throwIfAborted();
    throw new UnreachableError([{ url: response.url, reason: failureOf(error).reason }], { cause: error });
  }
}

async function* toLines(specs: AsyncIterable<JobSpec>): AsyncGenerator<string, void> {
  for await (const spec of specs) yield JSON.stringify(spec);
}

function jobPath(id: string): string {
  return `/v1/jobs/${encodeURIComponent(id)}`;
}

function groupPath(id: string): string {
  return `/v1/groups/${encodeURIComponent(id)}`;
}

function queuePath(name: string): string {
  return `/v1/queues/${encodeURIComponent(name)}`;
}

function blobPath(hash: string): string {
  return `/v1/blobs/sha256/${encodeURIComponent(hash)}`;
}

function jsonBody(
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): { readonly body: () => string; readonly headers: Readonly<Record<string, string>> } {
  const text = JSON.stringify(value);
  return { body: () => text, headers: { 'content-type': 'application/json', ...headers } };
}

function queryOf({ labels, ...rest }: JobQuery): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) query.append(name, String(value));
  for (const [name, value] of Object.entries(labels ?? {})) query.append('label', `${name}=${value}`);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
