import { afterEach, describe, expect, test } from 'vitest';
import { Fault, Rejection } from '../../../src/errors.ts';
import { bytes, collect, eventually, failureOf, pause, TestCluster, text } from './support.ts';

const cluster = new TestCluster();
afterEach(() => cluster.close());

const never = new AbortController().signal;
const CHUNK = 64 * 1024;

async function pair(limits = {}) {
  const [first, second] = await cluster.mesh(2, { limits });
  if (first === undefined || second === undefined) throw new Error('two were asked for');
  return { first, second };
}

describe('a stream of its own', () => {
  test('yields what the handler yields, for the request that was sent', async () => {
    const { first, second } = await pair();
    second.handleOpen(async function* (from, body) {
      yield bytes(`${text(body)} for `);
      await pause(5);
      yield bytes(from);
    });
    expect(text(await collect(first.open(second.self, bytes('logs'), never)))).toBe(`logs for ${first.self}`);
  });

  test('may be empty', async () => {
    const { first, second } = await pair();
    second.handleOpen(async function* () {});
    expect(await collect(first.open(second.self, bytes('x'), never))).toHaveLength(0);
  });

  test('brings megabytes unharmed, from chunks of any size', async () => {
    const { first, second } = await pair();
    const whole = Buffer.alloc(6_000_000);
    for (let at = 0; at < whole.length; at += 4) whole.writeUInt32BE(at, at);
    second.handleOpen(async function* () {
      for (const [from, to] of [
        [0, 1],
        [1, 3_000_000],
        [3_000_000, 3_000_000],
        [3_000_000, 6_000_000],
      ] as const) {
        yield whole.subarray(from, to);
      }
    });
    expect(Buffer.compare(await collect(first.open(second.self, bytes('x'), never)), whole)).toBe(0);
  });

  test('many can be under way at once', async () => {
    const { first, second } = await pair();
    second.handleOpen(async function* (_from, body) {
      for (let part = 0; part < 5; part += 1) {
        yield body;
        await pause(1);
      }
    });
    const all = await Promise.all(
      Array.from({ length: 100 }, async (_, number) =>
        text(await collect(first.open(second.self, bytes(`${number} `), never))),
      ),
    );
    expect(all).toEqual(Array.from({ length: 100 }, (_, number) => `${number} `.repeat(5)));
  });

  test('brings the error of the handler with its code, behind what was yielded before', async () => {
    const { first, second } = await pair();
    second.handleOpen(async function* (_from, body) {
      yield bytes('some');
      if (text(body) === 'rejection') throw new Rejection('notFound', 'no such log');
      throw new Fault('logUnavailable', 'the log is gone');
    });
    const got: string[] = [];
    const read = async (what: string): Promise<void> => {
      for await (const chunk of first.open(second.self, bytes(what), never)) got.push(text(chunk));
    };
    expect(await failureOf(read('rejection'))).toMatchObject({
      name: 'Rejection',
      code: 'notFound',
      message: 'no such log',
    });
    expect(await failureOf(read('fault'))).toMatchObject({ name: 'Fault', code: 'logUnavailable' });
    expect(got).toEqual(['some', 'some']);
  });

  test('stops the handler from yielding while the reader does not read, and goes on where it was', async () => {
    const { first, second } = await pair();
    let yielded = 0;
    const total = 600;
    second.handleOpen(async function* () {
      for (; yielded < total; yielded += 1) yield new Uint8Array(CHUNK).fill(yielded % 256);
    });
    const reader = first.open(second.self, bytes('x'), never)[Symbol.asyncIterator]();
    expect((await reader.next()).done).toBe(false);
    let before = -1;
    await eventually(async () => {
      const same = yielded === before;
      before = yielded;
      await pause(150);
      return same;
    });
    // What may lie between: the reader's buffer, one window, what both ends' sockets hold.
    expect(yielded * CHUNK).toBeLessThan(12 * 1024 * 1024);
    let received = CHUNK;
    let expected = 1;
    for (let next = await reader.next(); next.done !== true; next = await reader.next()) {
      expect(next.value[0]).toBe(expected % 256);
      expected += 1;
      received += next.value.length;
    }
    expect(received).toBe(total * CHUNK);
  });

  test('does not hold up requests while it is full', async () => {
    const { first, second } = await pair();
    second.handle('control', async (_from, body) => body);
    second.handleOpen(async function* () {
      for (;;) yield new Uint8Array(CHUNK);
    });
    const readers = Array.from({ length: 8 }, () => first.open(second.self, bytes('x'), never)[Symbol.asyncIterator]());
    await Promise.all(readers.map((reader) => reader.next()));
    await pause(200);
    expect(text(await first.request(second.self, 'control', bytes('hello'), { timeoutMs: 10_000 }))).toBe('hello');
    await Promise.all(readers.map(async (reader) => await reader.return?.()));
  });

  test('travels on a TCP connection of its own, which is closed when it was idle for a while', async () => {
    const { first, second } = await pair({ bulkIdleMs: 150 });
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = sockets();
    second.handleOpen(async function* () {
      yield bytes('x');
    });
    await collect(first.open(second.self, bytes('x'), never));
    await collect(first.open(second.self, bytes('x'), never));
    // Both ends of one connection are in this process.
    expect(sockets()).toBe(before + 2);
    await eventually(() => sockets() === before);
    expect(first.connected()).toEqual([second.self]);
    expect(text(await collect(first.open(second.self, bytes('x'), never)))).toBe('x');
  });

  test('ends the handler when the reader leaves', async () => {
    const { first, second } = await pair();
    let ended = false;
    second.handleOpen(async function* (_from, _body, signal) {
      try {
        while (!signal.aborted) {
          yield bytes('tick');
          await pause(5);
        }
      } finally {
        ended = signal.aborted;
      }
    });
    for await (const _chunk of first.open(second.self, bytes('x'), never)) break;
    await eventually(() => ended);
  });

  test('ends the handler when the reader aborts while it waits', async () => {
    const { first, second } = await pair();
    const ended = Promise.withResolvers<void>();
    second.handleOpen(async function* (_from, _body, signal) {
      yield bytes('tick');
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      ended.resolve();
    });
    const abort = new AbortController();
    const reading = collect(first.open(second.self, bytes('x'), abort.signal));
    setTimeout(() => abort.abort(new Error('enough')), 100);
    expect(String(await failureOf(reading))).toContain('enough');
    await ended.promise;
  });

  test('is never opened with a signal that is aborted already', async () => {
    const { first, second } = await pair();
    let handled = 0;
    second.handleOpen(async function* () {
      handled += 1;
      yield bytes('x');
    });
    expect(
      await failureOf(collect(first.open(second.self, bytes('x'), AbortSignal.abort(new Error('before'))))),
    ).not.toBeNull();
    await pause(100);
    expect(handled).toBe(0);
  });

  test('that breaks is a fault, never an end', async () => {
    const { first, second } = await pair();
    second.handleOpen(async function* () {
      yield bytes('some');
      await new Promise(() => {});
    });
    const reading = failureOf(collect(first.open(second.self, bytes('x'), never)));
    await pause(100);
    await second.close();
    expect(await reading).toMatchObject({ code: 'peerUnreachable' });
  });

  test('is refused beyond the number that is allowed', async () => {
    const { first, second } = await pair({ openStreamsPerPeer: 2 });
    second.handleOpen(async function* () {
      yield bytes('some');
      await new Promise(() => {});
    });
    const readers = Array.from({ length: 2 }, () => first.open(second.self, bytes('x'), never)[Symbol.asyncIterator]());
    await Promise.all(readers.map((reader) => reader.next()));
    expect(await failureOf(collect(first.open(second.self, bytes('x'), never)))).toMatchObject({ code: 'overloaded' });
  });

  test('to somebody who is not connected is a fault', async () => {
    const alone = await cluster.start();
    expect(await failureOf(collect(alone.open(alone.self, bytes('x'), never)))).toMatchObject({
      code: 'peerUnreachable',
    });
  });

  test('with a request that is too large is refused before it is sent', async () => {
    const { first, second } = await pair({ openRequestBytes: 10 });
    second.handleOpen(async function* () {});
    expect(await failureOf(collect(first.open(second.self, new Uint8Array(11), never)))).toMatchObject({
      code: 'tooLarge',
    });
    expect(await collect(first.open(second.self, new Uint8Array(10), never))).toHaveLength(0);
  });
});
