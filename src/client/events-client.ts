import type { Calls } from './calls.ts';
import { type EventOptions, followEvents } from './follow-events.ts';

export interface EventsClientOptions {
  /** A connection on which not even a sign of life came for this long is made anew. */
  readonly silentMs: number;
}

export class EventsClient {
  readonly #calls: Calls;
  readonly #silentMs: number;

  constructor(calls: Calls, { silentMs }: EventsClientOptions) {
    this.#calls = calls;
    this.#silentMs = silentMs;
  }

  /** What changes, as it changes. See `followEvents`. */
  follow(options: EventOptions = {}): ReturnType<typeof followEvents> {
    const { transport, reconnectMs } = this.#calls;
    return followEvents({ transport, reconnectMs, silentMs: this.#silentMs }, options);
  }
}
