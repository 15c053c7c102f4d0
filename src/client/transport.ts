import type { Problem } from '../api/views.ts';
import { ApiError, type FailedAddress, OutcomeUnknownError, ProtocolError, UnreachableError } from './client-error.ts';
import { failureOf, type NetworkFailure } from './network-failure.ts';
import { unreachable } from '../errors.ts';

export interface TransportOptions {
  /** `http://HOST:PORT` of one or more nodes, tried in turn. */
  readonly urls: readonly string[];
  readonly token?: string | null;
  /** For tests and for other runtimes. */
  readonly fetch?: typeof fetch;
  /** How long a node may take until its answer begins, beyond what the request itself waits for. */
  readonly answerTimeoutMs?: number;
  /** How long nodes that answer "not now" are asked again. */
  readonly busyMs?: number;
  /** How long addresses where nobody answers are tried again, after each was tried once. */
  readonly unreachableMs?: number;
}

export type RequestBody = NonNullable<RequestInit['body']>;

export interface ApiRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** With the query, from the root of the API. */
  readonly path: string;
  /** Called for each try: a stream can be read only once. */
  readonly body?: () => RequestBody;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** `always`: a repetition does no harm. `unsent`: only when it is certain that no node has taken it. */
  readonly repeat: 'always' | 'unsent';
  /** What the server was asked to wait; the time for the answer is counted behind it. */
  readonly waitsMs?: number;
  /** In place of `unreachableMs`, for callers that outlast a restart. */
  readonly unreachableMs?: number;
}

/** A node takes up to 30 s to tell that it found no leader, and tells more than a client that gave up. */
const DEFAULTS = { answerTimeoutMs: 40_000, busyMs: 15_000, unreachableMs: 2_000 } as const;
const FIRST_PAUSE_MS = 50;
const LAST_PAUSE_MS = 1_000;
/** An error's body is read up to here. */
const PROBLEM_MAX_CHARACTERS = 64 * 1024;

/** Sends a request to the node that answered last, and moves on to the next while one is away. */
export class Transport {
  readonly #urls: readonly string[];
  readonly #token: string | null;
  readonly #fetch: typeof fetch;
  readonly #options: Required<Pick<TransportOptions, 'answerTimeoutMs' | 'busyMs' | 'unreachableMs'>>;
  #current = 0;

  /** @throws TypeError when there is no address or one is not a URL */
  constructor(options: TransportOptions) {
    if (options.urls.length === 0) throw new TypeError('a client needs the address of a node');
    this.#urls = options.urls.map(baseUrl);
    this.#token = options.token ?? null;
    this.#fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
    this.#options = {
      answerTimeoutMs: options.answerTimeoutMs ?? DEFAULTS.answerTimeoutMs,
      busyMs: options.busyMs ?? DEFAULTS.busyMs,
      unreachableMs: options.unreachableMs ?? DEFAULTS.unreachableMs,
    };
  }

  /**
   * What `read` makes of the first answer with a status of 2xx. A connection that breaks while it reads counts as lost.
   * @throws ApiError, UnreachableError, OutcomeUnknownError, ProtocolError, or the signal's reason
   */
  async send<Value>(request: ApiRequest, read: (response: Response) => Promise<Value> | Value): Promise<Value> {
    const startedAt = performance.now();
    const failed = new Map<string, string>();
    let busy: ApiError | null = null;
    for (let tries = 1; ; tries += 1) {
      const url = this.#urls[this.#current] ?? '';
      const result = await this.#try(url, request, read);
      if (result.kind === 'answered') return result.value;
      if (request.repeat !== 'always') refuseRepetition(result, url);
      this.#current = (this.#current + 1) % this.#urls.length;
      if (result.kind === 'busy') busy = result.error;
      else failed.set(url, result.reason);
      if (tries >= this.#urls.length && performance.now() - startedAt > this.#patienceMs(request, busy)) {
        throw busy ?? new UnreachableError(listFailed(failed));
      }
      if (tries % this.#urls.length === 0) await pause(tries / this.#urls.length, request.signal);
    }
  }

  #patienceMs(request: ApiRequest, busy: ApiError | null): number {
    const unreachableMs = request.unreachableMs ?? this.#options.unreachableMs;
    return busy === null ? unreachableMs : Math.max(unreachableMs, this.#options.busyMs);
  }

  async #try<Value>(
    url: string,
    request: ApiRequest,
    read: (response: Response) => Promise<Value> | Value,
  ): Promise<Attempt<Value>> {
    request.signal?.throwIfAborted();
    const deadline = new AbortController();
    const timer = setTimeout(
      () => deadline.abort(new DOMException('no answer in time', 'TimeoutError')),
      (request.waitsMs ?? 0) + this.#options.answerTimeoutMs,
    );
    const signals = request.signal === undefined ? [deadline.signal] : [deadline.signal, request.signal];
    try {
      const response = await this.#fetch(url + request.path, {
        method: request.method,
        headers: this.#headers(request),
        signal: AbortSignal.any(signals),
        redirect: 'error',
        ...(request.body === undefined ? {} : { body: request.body(), duplex: 'half' }),
      });
      if (response.ok) return { kind: 'answered', value: await read(response) };
      const error = new ApiError(await readProblem(response, request.method), url);
      if (error.retryable) return { kind: 'busy', error };
      throw error;
    } catch (error) {
      request.signal?.throwIfAborted();
      if (error instanceof ApiError || error instanceof ProtocolError) throw error;
      return failureOf(error);
    } finally {
      clearTimeout(timer);
    }
  }

  #headers(request: ApiRequest): Record<string, string> {
    return {
      accept: 'application/json',
      ...(this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }),
      ...request.headers,
    };
  }
}

type Unanswered = { readonly kind: 'busy'; readonly error: ApiError } | NetworkFailure;
type Attempt<Value> = { readonly kind: 'answered'; readonly value: Value } | Unanswered;

/** @throws OutcomeUnknownError or ApiError unless it is certain that no node has taken the request */
function refuseRepetition(result: Unanswered, url: string): void {
  switch (result.kind) {
    case 'busy':
      throw result.error;
    case 'lost':
      throw new OutcomeUnknownError(url, result.reason, { cause: result.cause });
    case 'unsent':
      return;
    default:
      unreachable(result);
  }
}

/** `HOST:PORT` is taken for `http://HOST:PORT`. @throws TypeError */
export function baseUrl(text: string): string {
  const url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError(`${text} is not an http address`);
  if (url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new TypeError(`${text} must be no more than scheme, host, port and path`);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** What the status alone tells: an answer to HEAD has no body. */
const CODES_BY_STATUS: Readonly<Record<number, string>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'notFound',
  429: 'tooManyRequests',
  503: 'overloaded',
};

/** What the node tells of an error; something in between may answer with anything. */
async function readProblem(response: Response, method: ApiRequest['method']): Promise<Problem> {
  const { status } = response;
  const text = (await response.text().catch(() => '')).slice(0, PROBLEM_MAX_CHARACTERS);
  const told = parseProblem(text);
  const fallback = response.statusText === '' ? `status ${status}` : response.statusText;
  const code = told?.code ?? (method === 'HEAD' ? CODES_BY_STATUS[status] : undefined);
  return {
    ...told,
    type: told?.type ?? 'about:blank',
    title: told?.title ?? fallback,
    status,
    code: code ?? 'badAnswer',
    detail: told?.detail ?? (code === undefined ? `${fallback}, and no problem details` : fallback),
  };
}

function parseProblem(text: string): Partial<Problem> | null {
  try {
    const value: unknown = JSON.parse(text);
    const hasCode = typeof value === 'object' && value !== null && 'code' in value && typeof value.code === 'string';
    return hasCode ? (value as Partial<Problem>) : null;
  } catch {
    return null;
  }
}

function listFailed(failed: ReadonlyMap<string, string>): readonly FailedAddress[] {
  return [...failed].map(([url, reason]) => ({ url, reason }));
}

/** Grows with the rounds, with jitter, so that clients of a restarted node do not come all at once. */
export async function pause(round: number, signal: AbortSignal | undefined): Promise<void> {
  const longest = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(round - 1, 10));
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, longest * (0.5 + Math.random() / 2));
  const wake = () => resolve();
  signal?.addEventListener('abort', wake);
  await promise;
  clearTimeout(timer);
  signal?.removeEventListener('abort', wake);
  signal?.throwIfAborted();
}
