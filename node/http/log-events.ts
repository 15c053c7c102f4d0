import type { LogEvent, Problem } from '../../src/api/views.ts';

/** A comment goes out when nothing else did for this long, so that dead connections are found and proxies stay. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT = ': alive\n\n';
const END = 'event: end\ndata: {}\n\n';

/** `text` shows what is not UTF-8 with replacement characters; `base64` has every byte. */
export type LogEncoding = 'text' | 'base64';

export interface EventStreamOptions {
  readonly encoding: LogEncoding;
  readonly heartbeatMs?: number;
}

/** Server-sent events of a log: `log` with `{stream, at, data}` or `{stream, at, base64}`, then one `end`. */
export async function* eventStream(
  events: AsyncIterable<LogEvent>,
  signal: AbortSignal,
  { encoding, heartbeatMs = HEARTBEAT_MS }: EventStreamOptions,
): AsyncGenerator<string | Uint8Array, void> {
  const encoder = encoding === 'base64' ? new Base64Events() : new TextEvents();
  for await (const event of withHeartbeats(events, heartbeatMs)) {
    if (event === 'heartbeat') {
      yield HEARTBEAT;
      continue;
    }
    const encoded = encoder.encode(event);
    if (encoded.length > 0) yield encoded;
  }
  signal.throwIfAborted();
  yield encoder.finish() + END;
}

/** A character may be parted between two events of its stream. */
class TextEvents {
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  #lastAt = '';

  encode({ stream, at, data }: LogEvent): string {
    this.#lastAt = at;
    return textEvent(stream, at, this.#decoders[stream].decode(data, { stream: true }));
  }

  finish(): string {
    const { stdout, stderr } = this.#decoders;
    return textEvent('stdout', this.#lastAt, stdout.decode()) + textEvent('stderr', this.#lastAt, stderr.decode());
  }
}

class Base64Events {
  /** Those who read one log get the same events, and the same bytes are written to all of them. */
  static readonly #encoded = new WeakMap<LogEvent, Uint8Array>();

  encode(event: LogEvent): Uint8Array {
    const known = Base64Events.#encoded.get(event);
    if (known !== undefined) return known;
    const { stream, at, data } = event;
    const encoded = Buffer.from(logEvent({ stream, at, base64: data.toBase64() }));
    Base64Events.#encoded.set(event, encoded);
    return encoded;
  }

  finish(): string {
    return '';
  }
}

function textEvent(stream: LogEvent['stream'], at: string, data: string): string {
  return data === '' ? '' : logEvent({ stream, at, data });
}

/** What a stream that fails ends with. */
export function problemEvent(problem: Problem): string {
  return `event: error\ndata: ${JSON.stringify(problem)}\n\n`;
}

function logEvent(fields: object): string {
  return `event: log\ndata: ${JSON.stringify(fields)}\n\n`;
}

async function* withHeartbeats<Item>(
  items: AsyncIterable<Item>,
  everyMs: number,
): AsyncGenerator<Item | 'heartbeat', void> {
  const iterator = items[Symbol.asyncIterator]();
  let pending = iterator.next();
  let finished = false;
  try {
    for (;;) {
      const next = await orAfter(pending, everyMs);
      if (next === 'late') {
        yield 'heartbeat';
        continue;
      }
      if (next.done === true) {
        finished = true;
        return;
      }
      yield next.value;
      pending = iterator.next();
    }
  } finally {
    if (!finished) {
      // The producer may hang in its own wait until the signal reaches it; nobody waits for it here.
      pending.catch(() => undefined);
      iterator.return?.().catch(() => undefined);
    }
  }
}

async function orAfter<Value>(promise: Promise<Value>, ms: number): Promise<Value | 'late'> {
  const { promise: late, resolve } = Promise.withResolvers<'late'>();
  const timer = setTimeout(resolve, ms, 'late');
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
