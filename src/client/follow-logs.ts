import type { JobView, LogEvent, Problem } from '../api/views.ts';
import { isFinalView } from '../api/views.ts';
import { ApiError, OutcomeUnknownError, ProtocolError } from './client-error.ts';
import { readEvents, type StreamEvent } from './event-stream.ts';
import { failureOf } from './network-failure.ts';
import { readChunks } from './read-body.ts';
import { pause, type Transport } from './transport.ts';

export interface LogOptions {
  readonly stream?: 'stdout' | 'stderr' | 'both';
  /** Goes on until the job is final, through its retries unless `attempt` names one. */
  readonly follow?: boolean;
  /** Only the last lines. */
  readonly tail?: number;
  /** The last one when left out. */
  readonly attempt?: number;
  readonly signal?: AbortSignal;
}

/** Part of a job's output, with the attempt that wrote it. */
export interface LogChunk extends LogEvent {
  readonly attempt: number;
}

export interface LogSource {
  readonly transport: Transport;
  readonly job: () => Promise<JobView>;
  /** How long a node that went away is waited for. */
  readonly reconnectMs: number;
  /** A connection on which nothing came for this long is given up; a node sends a sign of life more often. */
  readonly silentMs: number;
}

const CONNECTION_TRIES = 20;

/** Reads what a job wrote, each byte once, over as many connections as it takes. */
export async function* followLogs(source: LogSource, id: string, options: LogOptions): AsyncGenerator<LogChunk, void> {
  const first = options.attempt ?? Math.max(1, (await source.job()).attempts.length);
  for (let attempt = first; ; attempt += 1) {
    // The last lines are asked of the first attempt alone: what a retry writes is all new.
    const tail = attempt === first ? options.tail : undefined;
    try {
      yield* followAttempt(source, id, attempt, { ...options, tail });
    } catch (error) {
      // The job ended without this further attempt.
      if (attempt > first && error instanceof ApiError && error.code === 'notFound') return;
      throw error;
    }
    if (options.follow !== true || options.attempt !== undefined) return;
    const job = await source.job();
    if (isFinalView(job) && job.attempts.length <= attempt) return;
  }
}

type AttemptOptions = Omit<LogOptions, 'tail'> & { readonly tail: number | undefined };

async function* followAttempt(
  source: LogSource,
  id: string,
  attempt: number,
  options: AttemptOptions,
): AsyncGenerator<LogChunk, void> {
  const seen = { stdout: 0, stderr: 0 };
  let idleTries = 0;
  for (;;) {
    const skip = { ...seen };
    let progressed = false;
    try {
      for await (const event of readAttempt(source, id, attempt, options)) {
        const { stream } = event;
        const data = event.data.subarray(Math.min(skip[stream], event.data.length));
        skip[stream] -= event.data.length - data.length;
        if (data.length === 0) continue;
        progressed = true;
        seen[stream] += data.length;
        yield { ...event, data, attempt };
      }
      return;
    } catch (error) {
      if (!(error instanceof LostConnection)) throw error;
      options.signal?.throwIfAborted();
      // Where the last lines began is not known any more, so the rest cannot be told from what was shown.
      const resumable = options.tail === undefined || seen.stdout + seen.stderr === 0;
      idleTries = progressed ? 0 : idleTries + 1;
      if (!resumable || idleTries > CONNECTION_TRIES) {
        throw new OutcomeUnknownError('the log', error.message, { cause: error });
      }
      await pause(Math.max(1, idleTries), options.signal);
    }
  }
}

/** The connection broke before the server said that this was all. */
class LostConnection extends Error {
  override readonly name = 'LostConnection';
}

async function* readAttempt(
  source: LogSource,
  id: string,
  attempt: number,
  { stream, follow, tail, signal }: AttemptOptions,
): AsyncGenerator<LogEvent, void> {
  const query = new URLSearchParams({ stream: stream ?? 'both', attempt: String(attempt) });
  if (follow === true) query.set('follow', 'true');
  if (tail !== undefined) query.set('tail', String(tail));
  const stalled = new AbortController();
  const response = await source.transport.send(
    {
      method: 'GET',
      path: `/v1/jobs/${encodeURIComponent(id)}/logs?${query.toString()}`,
      headers: { accept: 'text/event-stream; encoding=base64' },
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
      if (next.value.event === 'end') return;
      if (next.value.event === 'error') throwProblem(next.value, response.url);
      if (next.value.event === 'log') yield parseLogEvent(next.value.data);
    }
  } finally {
    await events.return();
  }
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

function throwProblem(event: StreamEvent, url: string): never {
  const error = new ApiError(parse(event.data) as Problem, url);
  if (error.retryable) throw new LostConnection(error.message, { cause: error });
  throw error;
}

function parseLogEvent(text: string): LogEvent {
  const { stream, at, data, base64 } = parse(text) as {
    readonly stream: unknown;
    readonly at: unknown;
    /** Text, from a server that does not send the bytes themselves. */
    readonly data?: unknown;
    readonly base64?: unknown;
  };
  if ((stream !== 'stdout' && stream !== 'stderr') || typeof at !== 'string') throw badEvent();
  if (typeof base64 === 'string') return { stream, at, data: Uint8Array.fromBase64(base64) };
  if (typeof data === 'string') return { stream, at, data: new TextEncoder().encode(data) };
  throw badEvent();
}

function parse(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    throw badEvent();
  }
  throw badEvent();
}

function badEvent(): ProtocolError {
  return new ProtocolError('a log event is malformed');
}
