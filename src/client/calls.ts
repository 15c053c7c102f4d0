import { UnreachableError } from './client-error.ts';
import { failureOf } from './network-failure.ts';
import { readChunks, readJson, readNothing } from './read-body.ts';
import type { ApiRequest, Transport } from './transport.ts';

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface ReadOptions extends CallOptions {
  /** `stale` answers at once, from what the node itself has. */
  readonly consistency?: 'linearizable' | 'stale';
}

export interface WaitOptions extends CallOptions {
  /** Answers with the thing as it is when it is over; for ever when left out. */
  readonly timeoutMs?: number;
}

export interface PageQuery {
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
}

export interface CallsOptions {
  /** How long a wait or a followed log outlasts the absence of every node. */
  readonly reconnectMs: number;
}

/** One long poll. Short enough for proxies that end silent requests after a minute. */
const POLL_MS = 30_000;

/** The kinds of requests that the subjects of the client are made of. All throw the errors of client-error.ts. */
export class Calls {
  readonly transport: Transport;
  readonly reconnectMs: number;

  constructor(transport: Transport, { reconnectMs }: CallsOptions) {
    this.transport = transport;
    this.reconnectMs = reconnectMs;
  }

  json<Value>(request: ApiRequest): Promise<Value> {
    return this.transport.send(request, readJson<Value>);
  }

  get<Value>(path: string, { signal }: CallOptions): Promise<Value> {
    return this.json({ method: 'GET', path, repeat: 'always', signal });
  }

  post<Value>(path: string, rest: Omit<ApiRequest, 'method' | 'path'>): Promise<Value> {
    return this.json({ method: 'POST', path, ...rest });
  }

  /** For an answer without content. */
  async nothing(request: ApiRequest): Promise<void> {
    await this.transport.send(request, readNothing);
  }

  /** Asks again and again, each time for as long as a poll may take. */
  async poll<Value>(
    path: string,
    isOver: (value: Value) => boolean,
    { timeoutMs, signal }: WaitOptions,
  ): Promise<Value> {
    const endsAt = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
    for (;;) {
      const pollMs = Math.round(Math.min(POLL_MS, Math.max(0, endsAt - performance.now())));
      const value = await this.json<Value>({
        method: 'GET',
        path: `${path}?timeout=${pollMs}ms`,
        repeat: 'always',
        waitsMs: pollMs,
        unreachableMs: this.reconnectMs,
        signal,
      });
      if (isOver(value) || performance.now() >= endsAt) return value;
    }
  }

  /** The bytes as they come. UnreachableError when the connection breaks. */
  async bytes(path: string, { signal }: CallOptions): Promise<AsyncGenerator<Uint8Array, void>> {
    const headers = { accept: 'application/octet-stream' };
    const response = await this.transport.send(
      { method: 'GET', path, headers, repeat: 'always', signal },
      (answer) => answer,
    );
    return readWhole(response, signal);
  }
}

async function* readWhole(response: Response, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void> {
  try {
    yield* readChunks(response);
  } catch (error) {
    signal?.throwIfAborted();
    throw new UnreachableError([{ url: response.url, reason: failureOf(error).reason }], { cause: error });
  }
}

export function jsonBody(
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): { readonly body: () => string; readonly headers: Readonly<Record<string, string>> } {
  const text = JSON.stringify(value);
  return { body: () => text, headers: { 'content-type': 'application/json', ...headers } };
}

/** From the `?` on; nothing when nothing is given. */
export function queryOf(
  fields: Readonly<Record<string, string | number | undefined>>,
  labels: Readonly<Record<string, string>> = {},
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) query.append(name, String(value));
  for (const [name, value] of Object.entries(labels)) query.append('label', `${name}=${value}`);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
