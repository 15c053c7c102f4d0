import { setImmediate as nextTurn } from 'node:timers/promises';
import { type EventFilter, matchesEvent } from '../../src/api/event-filter.ts';
import type { FeedItem } from '../../src/api/event-view.ts';
import {
  type EventPosition,
  formatPosition,
  isBehind,
  keptChange,
  type KeptEvent,
  toEventView,
} from '../../src/api/to-event-view.ts';
import type { Timestamp } from '../../src/jobs/job.ts';
import type { ChangeEvent } from '../../src/state/apply.ts';

export interface FeedLimits {
  /** What the kept events weigh together: one for an event, and one for each label of its job. */
  readonly weight: number;
  /** Events told at once. */
  readonly batch: number;
  /** Events looked at before the event loop turns. */
  readonly looks: number;
}

export interface FeedTimes {
  /** Readers are woken together, at most so often. */
  readonly gatherMs: number;
  readonly aliveMs: number;
}

export const FEED_LIMITS: FeedLimits = { weight: 100_000, batch: 256, looks: 2_000 };
export const FEED_TIMES: FeedTimes = { gatherMs: 10, aliveMs: 15_000 };

/** How far one has come. */
interface Reader {
  place: EventPosition;
  /** Of the event to look at next, counted over all that there were. */
  number: number;
}

/**
 * The last changes of the state, for readers that go on where they were. Each reader has its own place in one list that
 * all share: one that is slow falls out of it and is told of the gap, and never makes it grow. Entries of the log have
 * the same changes at every node, so a reader may go on at another one.
 */
export class EventFeed {
  readonly #limits: FeedLimits;
  readonly #times: FeedTimes;
  readonly #events: KeptEvent[] = [];
  /** Those before it in the list are forgotten. */
  #head = 0;
  /** How many were forgotten in all: the number of the event at the head. */
  #forgotten = 0;
  #weight = 0;
  /** Everything behind it is known. */
  #since: EventPosition;
  #last: EventPosition;
  #changed = Promise.withResolvers<void>();
  #waking: NodeJS.Timeout | null = null;

  /** @param applied the log index that the state holds */
  constructor(applied: number, limits: FeedLimits = FEED_LIMITS, times: FeedTimes = FEED_TIMES) {
    this.#limits = limits;
    this.#times = times;
    this.#since = this.#last = behind(applied);
  }

  /** @param at the time of the entry */
  changed(changes: readonly ChangeEvent[], index: number, at: Timestamp): void {
    let ordinal = 0;
    for (const event of changes) {
      const change = keptChange(event);
      if (change === null) continue;
      const kept = { index, ordinal, at, change };
      ordinal += 1;
      this.#events.push(kept);
      this.#weight += weightOf(kept);
    }
    this.#last = behind(index);
    if (ordinal === 0) return;
    while (this.#weight > this.#limits.weight && this.#size > 1) this.#forgetFirst();
    this.#wakeSoon();
  }

  /** A snapshot took the place of the state: what it changed is not known one by one. */
  restored(applied: number): void {
    this.#forgotten += this.#size;
    this.#events.length = 0;
    this.#head = 0;
    this.#weight = 0;
    this.#since = this.#last = behind(applied);
    this.#wakeSoon();
  }

  stop(): void {
    if (this.#waking !== null) clearTimeout(this.#waking);
  }

  /**
   * What is behind `after`, then what comes, until the signal ends it; some at a time. Begins with a sign of life.
   * @param after null: from now on
   */
  follow(
    after: EventPosition | null,
    filter: EventFilter,
    signal: AbortSignal,
  ): AsyncGenerator<readonly FeedItem[], void> {
    return this.#read(after ?? this.#last, filter, signal);
  }

  async *#read(
    after: EventPosition,
    filter: EventFilter,
    signal: AbortSignal,
  ): AsyncGenerator<readonly FeedItem[], void> {
    const reader: Reader = { place: after, number: this.#numberBehind(after) };
    yield [{ kind: 'alive', id: formatPosition(after) }];
    while (!signal.aborted) {
      const begun = reader.number;
      const items = this.#collect(reader, filter);
      if (items.length > 0) yield items;
      if (reader.number > begun || items.length > 0) await nextTurn();
      else if ((await this.#wait(signal)) === 'late' && !signal.aborted) yield [this.#aliveFor(reader)];
    }
  }

  #collect(reader: Reader, filter: EventFilter): FeedItem[] {
    const items: FeedItem[] = [];
    if (isBehind(this.#since, reader.place)) {
      const gap = { after: formatPosition(reader.place), resumed: formatPosition(this.#since) };
      items.push({ kind: 'gap', gap });
      reader.place = this.#since;
    }
    reader.number = Math.max(reader.number, this.#forgotten);
    for (let looks = 0; looks < this.#limits.looks && items.length < this.#limits.batch; looks += 1) {
      const event = this.#events[this.#head + reader.number - this.#forgotten];
      if (event === undefined) break;
      reader.number += 1;
      // A reader that comes from another node may be ahead of what this one has applied.
      if (!isBehind(event, reader.place)) continue;
      reader.place = event;
      if (matchesEvent(event.change, filter)) items.push({ kind: 'event', event: toEventView(event) });
    }
    return items;
  }

  #aliveFor(reader: Reader): FeedItem {
    const isAtEnd = reader.number === this.#forgotten + this.#size;
    if (isAtEnd && isBehind(this.#last, reader.place)) reader.place = this.#last;
    return { kind: 'alive', id: formatPosition(reader.place) };
  }

  get #size(): number {
    return this.#events.length - this.#head;
  }

  #forgetFirst(): void {
    const event = this.#events[this.#head];
    if (event === undefined) return;
    this.#weight -= weightOf(event);
    this.#since = event;
    this.#head += 1;
    this.#forgotten += 1;
    if (this.#head * 2 < this.#events.length) return;
    this.#events.splice(0, this.#head);
    this.#head = 0;
  }

  /** Of the first kept event behind the place. */
  #numberBehind(place: EventPosition): number {
    let low = this.#head;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const event = this.#events[middle];
      if (event !== undefined && !isBehind(event, place)) low = middle + 1;
      else high = middle;
    }
    return this.#forgotten + low - this.#head;
  }

  #wakeSoon(): void {
    this.#waking ??= setTimeout(() => {
      this.#waking = null;
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }, this.#times.gatherMs);
  }

  async #wait(signal: AbortSignal): Promise<'changed' | 'late'> {
    const late = Promise.withResolvers<'late'>();
    const timer = setTimeout(late.resolve, this.#times.aliveMs, 'late');
    const end = (): void => late.resolve('late');
    signal.addEventListener('abort', end, { once: true });
    try {
      return await Promise.race([this.#changed.promise.then(() => 'changed' as const), late.promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }
}

function behind(index: number): EventPosition {
  return { index, ordinal: Infinity };
}

function weightOf({ change }: KeptEvent): number {
  return change.kind === 'job' && change.job !== null ? 1 + Object.keys(change.job.labels).length : 1;
}
