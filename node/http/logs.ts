import { z } from 'zod';
import type { LogEvent } from '../../src/api/views.ts';
import type { Core, LogQuery } from '../core.ts';
import { eventStream, problemEvent } from './log-events.ts';
import type { Followers } from './followers.ts';
import type { LogEncoding } from './log-events.ts';
import { problemOf } from './problem.ts';
import { route } from './route.ts';
import type { Answer, Headers, Route, RouteInput } from './route.ts';
import { idParams, jobId } from './schemas.ts';

const TAIL_MAX_LINES = 1_000_000;

const flag = z
  .enum(['', 'true', '1', 'false', '0'])
  .default('false')
  .transform((text) => text !== 'false' && text !== '0');

const logQuery = z.strictObject({
  stream: z.enum(['stdout', 'stderr', 'both']).default('both'),
  follow: flag.meta({ description: 'Goes on until the job is final.' }),
  tail: z.coerce
    .number<string>()
    .pipe(z.int().min(0).max(TAIL_MAX_LINES))
    .optional()
    .meta({ description: 'Only the last lines.' }),
  attempt: z.coerce
    .number<string>()
    .pipe(z.int().min(1))
    .optional()
    .meta({ description: 'The last one when left out.' }),
});

const TEXT_HEADERS: Headers = { 'content-type': 'text/plain; charset=utf-8' };
const EVENT_HEADERS: Headers = { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' };

export function logRoutes(core: Core, followers: Followers): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/jobs/:id/logs',
      scope: 'jobs:read',
      own: 'job',
      summary: 'Read or follow the output of a job',
      params: idParams,
      query: logQuery,
      headers: z.object({
        accept: z
          .string()
          .optional()
          .meta({
            description:
              '`text/event-stream` gives events with stream, time and text; with `; encoding=base64` the bytes in ' +
              '`base64` in place of the text in `data`.',
          }),
      }),
      responses: {
        200: { description: 'The output as it was written.', mediaType: 'text/plain' },
      },
      async handle(input) {
        const { stream, follow, tail, attempt } = input.query;
        const id = jobId(input.params.id);
        const { requestId } = input;
        const signal = input.signal();
        if (follow) followers.admit(signal);
        const query: LogQuery = { stream, follow, tail: tail ?? null, attempt: attempt ?? null };
        const events = await core.logs(id, query, signal);
        const encoding = wantedEvents(input);
        return encoding === null ? asText(events, signal) : asEvents(events, { signal, encoding, requestId });
      },
    }),
  ];
}

/** Null: the plain text is wanted. */
function wantedEvents(input: Pick<RouteInput<unknown, unknown, unknown>, 'headers'>): LogEncoding | null {
  const wanted = (input.headers.accept ?? '')
    .toLowerCase()
    .split(',')
    .find((range) => range.trim().startsWith('text/event-stream'));
  if (wanted === undefined) return null;
  return /;\s*encoding=base64\s*(;|$)/.test(wanted) ? 'base64' : 'text';
}

function asText(events: AsyncIterable<LogEvent>, signal: AbortSignal): Answer {
  return { kind: 'stream', status: 200, headers: TEXT_HEADERS, pieces: octets(events, signal) };
}

async function* octets(events: AsyncIterable<LogEvent>, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  for await (const event of events) yield event.data;
  // An output that was cut short by the node's own stop must not look whole.
  signal.throwIfAborted();
}

interface EventOptions {
  readonly signal: AbortSignal;
  readonly encoding: LogEncoding;
  readonly requestId: string;
}

function asEvents(events: AsyncIterable<LogEvent>, { signal, encoding, requestId }: EventOptions): Answer {
  return {
    kind: 'stream',
    status: 200,
    headers: EVENT_HEADERS,
    pieces: eventStream(events, signal, { encoding }),
    onError: (error) => problemEvent(problemOf(error, requestId)),
  };
}
