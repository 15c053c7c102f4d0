import type { EventGap, EventKind, EventView, FeedItem } from '../api/event-view.ts';
import type { JobState } from '../jobs/job.ts';
import { OutcomeUnknownError } from './client-error.ts';
import { CONNECTION_TRIES, type EventSource, LostConnection, parseObject, readConnection } from './event-connection.ts';
import { pause } from './transport.ts';

export interface EventOptions {
  /** All that the token may read when left out. */
  readonly kinds?: readonly EventKind[];
  /** Jobs that came to one of these. */
  readonly states?: readonly JobState[];
  readonly job?: string;
  readonly project?: string;
  readonly queue?: string;
  readonly group?: string;
  readonly parent?: string;
  /** All must match. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The id of an event, or a log index: what lies behind it comes first. From now on when left out. */
  readonly after?: string;
  readonly signal?: AbortSignal;
}

/**
 * Changes as they come, over as many connections to any nodes as it takes: each once, unless a `gap` tells that some
 * are lost, and what they told has to be read anew. Ends with the signal.
 * @throws OutcomeUnknownError when the connections keep breaking
 */
export async function* followEvents(
  source: EventSource,
  options: EventOptions,
): AsyncGenerator<Exclude<FeedItem, { readonly kind: 'alive' }>, void> {
  const { signal } = options;
  let last = options.after ?? '';
  let idleTries = 0;
  for (;;) {
    const request = { path: pathOf(options), accept: 'text/event-stream', headers: headersOf(last), signal };
    try {
      for await (const { event, data, id } of readConnection(source, request)) {
        last = id;
        idleTries = 0;
        if (event === 'event') yield { kind: 'event', event: parseObject(data) as EventView };
        if (event === 'gap') yield { kind: 'gap', gap: parseObject(data) as EventGap };
      }
    } catch (error) {
      if (!(error instanceof LostConnection)) throw error;
      signal?.throwIfAborted();
      idleTries += 1;
      if (idleTries > CONNECTION_TRIES) throw new OutcomeUnknownError('the events', error.message, { cause: error });
      await pause(idleTries, signal);
    }
  }
}

function headersOf(last: string): Readonly<Record<string, string>> {
  return last === '' ? {} : { 'last-event-id': last };
}

function pathOf({ kinds, states, labels, after: _after, signal: _signal, ...single }: EventOptions): string {
  const query = new URLSearchParams(Object.entries(single));
  for (const kind of kinds ?? []) query.append('kind', kind);
  for (const state of states ?? []) query.append('state', state);
  for (const [name, value] of Object.entries(labels ?? {})) query.append('label', `${name}=${value}`);
  return `/v1/events?${query.toString()}`;
}
