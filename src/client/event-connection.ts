import type { Problem } from '../api/views.ts';
import { ApiError, ProtocolError } from './client-error.ts';
import { readEvents, type StreamEvent } from './event-stream.ts';
import { failureOf } from './network-failure.ts';
import { readChunks } from './read-body.ts';
import type { Transport } from './transport.ts';

export interface EventSource {
  readonly transport: Transport;
  /** How long a node that went away is waited for. */
  readonly reconnectMs: number;
  /** A connection on which nothing came for this long is given up; a node sends a sign of life more often. */
  readonly silentMs: number;
}

export interface EventRequest {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly accept: string;
  readonly signal: AbortSignal | undefined;
}

/** How often in a row a connection may break before anything new came. */
export const CONNECTION_TRIES = 20;

/** The connection broke, or its node cannot go on; another may. */
export class LostConnection extends Error {
  override readonly name = 'LostConnection';
}

/** The events of one connection. @throws LostConnection when it ends, ApiError for an `error` event that stays so */
export async function* readConnection(
  source: EventSource,
  { path, headers, accept, signal }: EventRequest,
): AsyncGenerator<StreamEvent, never> {
  const stalled = new AbortController();
  const response = await source.transport.send(
    {
      method: 'GET',
      path,
      headers: { accept, ...headers },
      repeat: 'always',
      unreachableMs: source.reconnectMs,
      signal: signal === undefined ? stalled.signal : AbortSignal.any([signal, stalled.signal]),
    },
    (answer) => answer,
  );
  const events = readEvents(noticingSilence(readChunks(response), source.silentMs, stalled));
  try {
    for (;;) {
      const next = await events.next().catch((error: unknown) => {
        signal?.throwIfAborted();
        if (error instanceof ProtocolError) throw error;
        throw new LostConnection(failureOf(error).reason, { cause: error });
      });
      if (next.done === true) throw new LostConnection('the stream ended early');
      if (next.value.event === 'error') throwProblem(next.value, response.url);
      yield next.value;
    }
  } finally {
    await events.return();
  }
}

/** @throws ProtocolError when the data of an event is no object */
export function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    throw new ProtocolError('an event is malformed');
  }
  throw new ProtocolError('an event is malformed');
}

function throwProblem(event: StreamEvent, url: string): never {
  const error = new ApiError(parseObject(event.data) as Problem, url);
  if (error.retryable) throw new LostConnection(error.message, { cause: error });
  throw error;
}

async function* noticingSilence(
  chunks: AsyncIterable<Uint8Array>,
  silentMs: number,
  stalled: AbortController,
): AsyncGenerator<Uint8Array, void> {
  const giveUp = () => stalled.abort(new DOMException('nothing came any more', 'TimeoutError'));
  let timer = setTimeout(giveUp, silentMs);
  try {
    for await (const chunk of chunks) {
      clearTimeout(timer);
      yield chunk;
      timer = setTimeout(giveUp, silentMs);
    }
  } finally {
    clearTimeout(timer);
  }
}
