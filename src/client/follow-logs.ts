import type { JobView, LogEvent } from '../api/views.ts';
import { isFinalView } from '../api/views.ts';
import { ApiError, OutcomeUnknownError, ProtocolError } from './client-error.ts';
import { CONNECTION_TRIES, type EventSource, LostConnection, parseObject, readConnection } from './event-connection.ts';
import { pause } from './transport.ts';

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

export interface LogSource extends EventSource {
  readonly job: () => Promise<JobView>;
}

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

async function* readAttempt(
  source: LogSource,
  id: string,
  attempt: number,
  { stream, follow, tail, signal }: AttemptOptions,
): AsyncGenerator<LogEvent, void> {
  const query = new URLSearchParams({ stream: stream ?? 'both', attempt: String(attempt) });
  if (follow === true) query.set('follow', 'true');
  if (tail !== undefined) query.set('tail', String(tail));
  const path = `/v1/jobs/${encodeURIComponent(id)}/logs?${query.toString()}`;
  const accept = 'text/event-stream; encoding=base64';
  for await (const { event, data } of readConnection(source, { path, accept, signal })) {
    if (event === 'end') return;
    if (event === 'log') yield parseLogEvent(data);
  }
}

function parseLogEvent(text: string): LogEvent {
  const { stream, at, data, base64 } = parseObject(text) as {
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

function badEvent(): ProtocolError {
  return new ProtocolError('a log event is malformed');
}
