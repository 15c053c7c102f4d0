import type { LogEvent, Problem } from '../../src/api/views.ts';

/** A comment goes out when nothing else did for this long, so that dead connections are found and proxies stay. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT = ': alive\n\n';
const END = 'event: end\ndata: {}\n\n';

/**
 * Server-sent events of a log: `log` with `{stream, at, data}`, then one `end`. Text that is not UTF-8 is shown with
 * replacement characters; the plain answer has the octets.
 */
export async function* eventStream(
  events: AsyncIterable<LogEvent>,
  signal: AbortSignal,
  heartbeatMs: number = HEARTBEAT_MS,
): AsyncGenerator<string, void> {
  // A character may be parted between two events of its stream.
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  let lastAt = '';
  for await (const event of withHeartbeats(events, heartbeatMs)) {
    if (event === 'heartbeat') {
      yield HEARTBEAT;
      continue;
    }
    lastAt = event.at;
    const text = decoders[event.stream].decode(event.data, { stream: true });
    if (text !== '') yield logEvent(event.stream, event.at, text);
  }
  signal.throwIfAborted();
  for (const stream of ['stdout', 'stderr'] as const) {
    const rest = decoders[stream].decode();
    if (rest !== '') yield logEvent(stream, lastAt, rest);
  }
  yield END;
}

/** What a stream that fails ends with. */
export function problemEvent(problem: Problem): string {
  return `event: error\ndata: ${JSON.stringify(problem)}\n\n`;
}

function logEvent(stream: LogEvent['stream'], at: string, data: string): string {
  return `event: log\ndata: ${JSON.stringify({ stream, at, data })}\n\n`;
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
