import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { EventFilter } from '../../../src/api/event-filter.ts';
import { EVENT_KINDS, type FeedItem } from '../../../src/api/event-view.ts';
import { type EventPosition, parsePosition } from '../../../src/api/to-event-view.ts';
import type { ChangeEvent } from '../../../src/state/apply.ts';
import { EventFeed, FEED_LIMITS, FEED_TIMES } from '../../../node/service/event-feed.ts';

const ALL: EventFilter = { kinds: new Set(EVENT_KINDS) };
const TIMES = { ...FEED_TIMES, gatherMs: 0 };

/** Something that changes, without what a whole job takes. */
const queueChange = (name: string): ChangeEvent => ({ kind: 'queue', name, queue: null });
const tokenChange = { kind: 'token', id: 't', token: null } as unknown as ChangeEvent;

interface Reader {
  /** Ids of events, `gap A-B`, and `alive ID`, as many as asked for. */
  take(count: number): Promise<readonly string[]>;
}

function follow(feed: EventFeed, after: EventPosition | null = null, filter = ALL): Reader {
  const ended = new AbortController();
  onTestFinished(() => ended.abort());
  const batches = feed.follow(after, filter, ended.signal);
  const left: string[] = [];
  return {
    async take(count) {
      while (left.length < count) {
        const next = await batches.next();
        if (next.done === true) break;
        left.push(...next.value.map(describeItem));
      }
      return left.splice(0, count);
    },
  };
}

function describeItem(item: FeedItem): string {
  if (item.kind === 'event') return item.event.id;
  return item.kind === 'gap' ? `gap ${item.gap.after}-${item.gap.resumed}` : `alive ${item.id}`;
}

/** Entry `index` changes `count` queues. */
function change(feed: EventFeed, index: number, count = 1): void {
  feed.changed(
    Array.from({ length: count }, (_, n) => queueChange(`q${n}`)),
    index,
    index * 1000,
  );
}

describe('the feed of events', () => {
  it('tells what comes, in order, by entry and place in it', async () => {
    const feed = new EventFeed(4, FEED_LIMITS, TIMES);
    const reader = follow(feed);
    expect(await reader.take(1)).toEqual(['alive 4']);
    change(feed, 5, 2);
    change(feed, 7);
    expect(await reader.take(3)).toEqual(['5.0', '5.1', '7.0']);
    change(feed, 8);
    expect(await reader.take(1)).toEqual(['8.0']);
  });

  it('tells nothing of tokens, and counts on without them', async () => {
    const feed = new EventFeed(0, FEED_LIMITS, TIMES);
    const reader = follow(feed);
    feed.changed([tokenChange, queueChange('a'), tokenChange, queueChange('b')], 1, 0);
    expect(await reader.take(3)).toEqual(['alive 0', '1.0', '1.1']);
  });

  it.each([
    ['2.0', ['2.1', '3.0']],
    ['2.1', ['3.0']],
    ['2', ['3.0']],
    ['1', ['2.0', '2.1', '3.0']],
    ['1.7', ['2.0', '2.1', '3.0']],
  ])('goes on behind %s', async (after, expected) => {
    const feed = new EventFeed(0, FEED_LIMITS, TIMES);
    change(feed, 1);
    change(feed, 2, 2);
    change(feed, 3);
    const reader = follow(feed, parsePosition(after));
    expect(await reader.take(1 + expected.length)).toEqual([`alive ${after}`, ...expected]);
  });

  it('tells what is forgotten as a gap, and goes on with what it has', async () => {
    const feed = new EventFeed(0, { ...FEED_LIMITS, weight: 3 }, TIMES);
    for (let index = 1; index <= 6; index += 1) change(feed, index);
    const reader = follow(feed, parsePosition('1.0'));
    expect(await reader.take(5)).toEqual(['alive 1.0', 'gap 1.0-3.0', '4.0', '5.0', '6.0']);
    expect(await follow(feed, parsePosition('3.0')).take(2)).toEqual(['alive 3.0', '4.0']);
  });

  it('tells a reader from before its start of the gap', async () => {
    const feed = new EventFeed(50, FEED_LIMITS, TIMES);
    expect(await follow(feed, parsePosition('49.2')).take(2)).toEqual(['alive 49.2', 'gap 49.2-50']);
    expect(await follow(feed, parsePosition('50.2')).take(1)).toEqual(['alive 50.2']);
  });

  it('tells everyone of a gap when a snapshot took the place of the state', async () => {
    const feed = new EventFeed(0, FEED_LIMITS, TIMES);
    const reader = follow(feed);
    change(feed, 1);
    expect(await reader.take(2)).toEqual(['alive 0', '1.0']);
    feed.restored(90);
    change(feed, 91);
    expect(await reader.take(2)).toEqual(['gap 1.0-90', '91.0']);
  });

  it('tells a reader that was at a node further ahead nothing twice', async () => {
    const feed = new EventFeed(0, FEED_LIMITS, TIMES);
    const reader = follow(feed, parsePosition('3.0'));
    expect(await reader.take(1)).toEqual(['alive 3.0']);
    change(feed, 1);
    change(feed, 3, 2);
    change(feed, 4);
    expect(await reader.take(2)).toEqual(['3.1', '4.0']);
  });

  it('finds a reader that is ahead still there when what it skips is forgotten meanwhile', async () => {
    const feed = new EventFeed(0, { ...FEED_LIMITS, weight: 1 }, TIMES);
    const reader = follow(feed, parsePosition('8.0'));
    expect(await reader.take(1)).toEqual(['alive 8.0']);
    for (let index = 1; index <= 9; index += 1) change(feed, index);
    expect(await reader.take(1)).toEqual(['9.0']);
  });

  it('gives a sign of life with the id up to which nothing is left', async () => {
    const feed = new EventFeed(0, FEED_LIMITS, { gatherMs: 0, aliveMs: 20 });
    const reader = follow(feed, null, { kinds: new Set(['job']) });
    change(feed, 5);
    expect(await reader.take(2)).toEqual(['alive 0', 'alive 5']);
  });

  it('lets the event loop turn among events that a reader does not want', async () => {
    const feed = new EventFeed(0, { ...FEED_LIMITS, looks: 10 }, { ...TIMES, aliveMs: 1000 });
    change(feed, 1, 95);
    feed.changed([{ kind: 'runner', id: 'r', runner: null } as unknown as ChangeEvent], 2, 0);
    let turns = 0;
    const count = (): void => {
      turns += 1;
      turning = setImmediate(count);
    };
    let turning = setImmediate(count);
    const reader = follow(feed, parsePosition('0'), { kinds: new Set(['runner']) });
    expect(await reader.take(2)).toEqual(['alive 0', '2.0']);
    clearImmediate(turning);
    expect(turns).toBeGreaterThanOrEqual(9);
  });

  it('ends with its signal', async () => {
    const feed = new EventFeed(0, FEED_LIMITS, TIMES);
    const ended = new AbortController();
    const batches = feed.follow(null, ALL, ended.signal);
    await batches.next();
    const next = batches.next();
    ended.abort();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it('gives each reader every event once or tells of the gap, whatever it keeps and wherever the reader begins', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 12 }),
        fc.nat(30),
        fc.nat(30),
        async (sizes, weight, start, begin) => {
          const feed = new EventFeed(0, { weight, batch: 3, looks: 2 }, TIMES);
          const all: string[] = [];
          const entry = (index: number): void => {
            const count = sizes[index - 1] ?? 0;
            change(feed, index, count);
            for (let n = 0; n < count; n += 1) all.push(`${index}.${n}`);
          };
          const from = start % sizes.length;
          for (let index = 1; index <= from; index += 1) entry(index);
          const after = begin % (from + 1);
          const reader = follow(feed, parsePosition(String(after)));
          await reader.take(1);
          for (let index = from + 1; index <= sizes.length; index += 1) entry(index);
          change(feed, sizes.length + 1);
          const last = `${sizes.length + 1}.0`;
          const told: string[] = [];
          while (told.at(-1) !== last) told.push(...(await reader.take(1)));
          const expected = [...all, last].filter((id) => Number(id.split('.')[0]) > after);
          if (told[0]?.startsWith('gap') !== true) expect(told).toEqual(expected);
          const events = told.filter((id) => !id.startsWith('gap'));
          expect(events).toEqual(expected.slice(-events.length));
          expect(events.length).toBeGreaterThanOrEqual(Math.min(expected.length, weight));
        },
      ),
      { numRuns: 60 },
    );
  });
});
