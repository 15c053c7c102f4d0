import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { LogPiece } from '../../../node/runner/ports.ts';
import { FairTurns } from '../../../node/service/fair-turns.ts';
import {
  type LogName,
  SHARED_LOG_LIMITS,
  SharedLogs,
  type SharedLogLimits,
} from '../../../node/service/shared-logs.ts';
import { Fault } from '../../../src/errors.ts';
import type { JobId, NodeId } from '../../../src/ids.ts';

const name: LogName = {
  runner: 'a node' as NodeId,
  job: 'a job' as JobId,
  attempt: 1,
  stream: 'both',
  follow: true,
};
const never = new AbortController().signal;
const BEGINNING = { stdout: 0, stderr: 0 };
const PIECE_BYTES = 1000;

/** A machine with one log, which a test writes; tells how often it was read and by how many at once. */
class Holder {
  readonly opened: number[] = [];
  open = 0;
  mostOpen = 0;
  bytesRead = 0;
  failure: Error | null = null;
  #text = '';
  #emptied: number | null = null;
  #over = false;
  #wake = Promise.withResolvers<void>();

  write(text: string): void {
    this.#text += text;
    this.#tell();
  }

  /** Whoever has read begins anew. */
  empty(text: string): void {
    this.#emptied = text.length;
    this.#text = text;
    this.#tell();
  }

  end(): void {
    this.#over = true;
    this.#tell();
  }

  #tell(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  async *read(from: { readonly stdout: number }, signal: AbortSignal): AsyncGenerator<LogPiece, void> {
    this.opened.push(from.stdout);
    this.open += 1;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    try {
      let at = from.stdout;
      while (!signal.aborted) {
        await nextTurn();
        if (this.failure !== null) throw this.failure;
        if (at > this.#text.length && this.#emptied !== null) at = 0;
        const data = Buffer.from(this.#text.slice(at, at + PIECE_BYTES));
        if (data.length === 0 && this.#over) return;
        if (data.length === 0) {
          await Promise.race([this.#wake.promise, aborted]);
          continue;
        }
        this.bytesRead += data.length;
        yield { stream: 'stdout', at: 'now', data, offset: at };
        at += data.length;
      }
    } finally {
      this.open -= 1;
    }
  }
}

function setUp(limits: Partial<SharedLogLimits> = {}) {
  const holder = new Holder();
  const logs = new SharedLogs(
    { open: (_name, { from }, signal) => holder.read(from, signal) },
    { ...SHARED_LOG_LIMITS, runBytes: 10 * PIECE_BYTES, ...limits },
  );
  const reader = (signal = never) => logs.read(name, BEGINNING, signal);
  async function readAll(events: AsyncIterable<{ readonly data: Uint8Array }> = reader()): Promise<string> {
    const parts: Uint8Array[] = [];
    for await (const { data } of events) parts.push(data);
    return Buffer.concat(parts).toString();
  }
  return { holder, logs, reader, readAll };
}

function textOf(pieces: number): string {
  return Array.from({ length: pieces }, (_, i) => String(i).padEnd(PIECE_BYTES, '.')).join('');
}

describe('a log that many read', () => {
  it('is fetched once, and everyone gets all of it', async () => {
    const { holder, logs, readAll } = setUp();
    const text = textOf(35);
    holder.write(text);
    holder.end();
    const read = await Promise.all(Array.from({ length: 200 }, () => readAll()));
    expect(read.every((seen) => seen === text)).toBe(true);
    expect(holder.bytesRead).toBe(text.length);
    expect(holder.opened).toEqual([0, 10_000, 20_000, 30_000]);
    expect(logs.cachedBytes).toBe(0);
  });

  it('is given on as it is written, in one reading', async () => {
    const { holder, reader } = setUp();
    const readers = Array.from({ length: 20 }, () => reader());
    for (const line of ['one\n', 'two\n']) {
      const next = Promise.all(readers.map(async (one) => (await one.next()).value));
      await nextTurn();
      holder.write(line);
      expect((await next).map((event) => Buffer.from(event?.data ?? []).toString())).toEqual(readers.map(() => line));
    }
    holder.end();
    expect((await Promise.all(readers.map((one) => one.next()))).every(({ done }) => done)).toBe(true);
    expect(holder.opened).toEqual([0]);
  });

  it('does not wait for one who takes nothing, and keeps no more for him than is allowed', async () => {
    const cacheBytes = 8 * PIECE_BYTES;
    const { holder, logs, reader, readAll } = setUp({ cacheBytes });
    const text = textOf(60);
    holder.write(text);
    holder.end();
    const slow = reader();
    const first = (await slow.next()).value;
    for await (const _ of reader()) expect(logs.cachedBytes).toBeLessThanOrEqual(cacheBytes);
    expect(Buffer.from(first?.data ?? []).toString() + (await readAll(slow))).toBe(text);
  });

  it('is read by few at once, however far apart its readers are', async () => {
    const { holder, reader, readAll } = setUp({ cacheBytes: 2 * PIECE_BYTES, busyRuns: 3, runIdleMs: 600_000 });
    const text = textOf(100);
    holder.write(text);
    holder.end();
    const readers = await Promise.all(
      Array.from({ length: 12 }, async (_, at) => {
        const one = reader();
        let seen = '';
        for (let piece = 0; piece < at * 8; piece += 1)
          seen += Buffer.from((await one.next()).value?.data ?? []).toString();
        return { one, seen };
      }),
    );
    const read = await Promise.all(readers.map(async ({ one, seen }) => seen + (await readAll(one))));
    expect(read.every((seen) => seen === text)).toBe(true);
    expect(holder.mostOpen).toBe(3);
  });

  it('that nothing is written to holds no other log up', async () => {
    const { holder, logs, reader } = setUp({ busyRuns: 1, runIdleMs: 1 });
    const leave = new AbortController();
    const silent = logs.read({ ...name, attempt: 2 }, { stdout: 5, stderr: 0 }, leave.signal).next();
    holder.write('hello');
    expect(Buffer.from((await reader().next()).value?.data ?? []).toString()).toBe('hello');
    leave.abort();
    await silent;
  });

  it('goes on from its beginning for all when the job empties it', async () => {
    const { holder, reader, readAll } = setUp();
    holder.write(textOf(2));
    const [early, late] = [reader(), reader()];
    for (let piece = 0; piece < 2; piece += 1) await early.next();
    const next = early.next();
    await nextTurn();
    // So much that a place comes again where something else was before.
    const again = 'again'.padEnd(PIECE_BYTES * 1.5, '!');
    holder.empty(again);
    holder.end();
    const first = Buffer.from((await next).value?.data ?? []).toString();
    const [rest, all] = await Promise.all([readAll(early), readAll(late)]);
    expect([first + rest, all]).toEqual([again, textOf(2) + again]);
  });

  it('that cannot be read is told to all who wait, and read again for the next', async () => {
    const { holder, reader, readAll } = setUp();
    const kept = reader();
    holder.write('a');
    await kept.next();
    holder.failure = new Fault('peerUnreachable', 'away');
    const reads = await Promise.allSettled([readAll(), readAll(kept)]);
    expect(reads.map(({ status }) => status)).toContain('rejected');
    holder.failure = null;
    holder.end();
    expect(await readAll()).toBe('a');
  });

  it('is let go of when all have left', async () => {
    const { holder, logs, reader } = setUp();
    const leave = new AbortController();
    const reads = [reader(leave.signal), reader(leave.signal)].map((one) => one.next());
    await nextTurn();
    expect(holder.open).toBe(1);
    leave.abort();
    expect((await Promise.all(reads)).every(({ done }) => done)).toBe(true);
    for (let turn = 0; holder.open > 0 && turn < 1000; turn += 1) await nextTurn();
    expect(holder.open).toBe(0);
    expect(logs.cachedBytes).toBe(0);
  });
});

describe('turns', () => {
  it('are taken by so many between two turns of the event loop, in order', async () => {
    const turns = new FairTurns({ perTurn: 4 });
    const went: number[] = [];
    let inThisTurn = 0;
    let most = 0;
    const all = Promise.all(
      Array.from({ length: 50 }, async (_, who) => {
        for (let round = 0; round < 3; round += 1) {
          await turns.take();
          went.push(who);
          inThisTurn += 1;
          most = Math.max(most, inThisTurn);
        }
      }),
    );
    let over = false;
    void all.then(() => (over = true));
    while (!over) {
      inThisTurn = 0;
      await nextTurn();
    }
    expect(went).toHaveLength(150);
    expect(went.slice(4, 50)).toEqual(Array.from({ length: 46 }, (_, at) => at + 4));
    // The test's own look and the turns' may fall into one.
    expect(most).toBeLessThanOrEqual(8);
  });
});
