import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFrameDecoder } from '../../../node/runner/frames.ts';
import type { FromRunner } from '../../../node/runner/messages.ts';
import { createOutbox } from '../../../node/runner/outbox.ts';
import type { Incarnation } from '../../../src/ids.ts';
import { randomJob } from './support.ts';

const key = { job: randomJob(), attempt: 1 };
const started: FromRunner = { kind: 'event', event: { kind: 'started', ...key, at: 1 } };
const end = { outcome: 'succeeded', exitCode: 0, signal: null, reason: null, usage: null } as const;
const times = { startedAt: 1, endedAt: 2, incarnation: 'i' as Incarnation };
const ended: FromRunner = { kind: 'event', event: { kind: 'ended', ...key, ...times, end } };

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

function setUp() {
  const writes: FromRunner[][] = [];
  const decoder = createFrameDecoder<FromRunner>();
  const outbox = createOutbox((frames) => {
    writes.push(decoder.push(frames).flatMap((decoded) => (decoded.kind === 'message' ? [decoded.message] : [])));
  });
  return { writes, outbox };
}

test('a start is told by the end that follows soon', async () => {
  const { writes, outbox } = setUp();
  outbox.send(started);
  await turn();
  expect(writes).toEqual([]);
  outbox.send(ended);
  await turn();
  expect(writes).toEqual([[ended]]);
  vi.advanceTimersByTime(100);
  expect(writes).toHaveLength(1);
});

test('a start that no end follows goes alone', () => {
  const { writes, outbox } = setUp();
  outbox.send(started);
  vi.advanceTimersByTime(5);
  expect(writes).toEqual([[started]]);
});

test('a start waits for no end of another attempt', async () => {
  const { writes, outbox } = setUp();
  const other = { ...key, attempt: 2 };
  outbox.send({ kind: 'event', event: { kind: 'started', ...other, at: 1 } });
  outbox.send(ended);
  await turn();
  expect(writes).toEqual([[{ kind: 'event', event: { kind: 'started', ...other, at: 1 } }, ended]]);
});

test('a start is told that comes again behind its end', async () => {
  const { writes, outbox } = setUp();
  outbox.send(started);
  outbox.send(ended);
  outbox.send(started);
  await turn();
  expect(writes).toEqual([[ended, started]]);
});

test('what is told in one turn goes in one write, in order', async () => {
  const { writes, outbox } = setUp();
  outbox.send(ended);
  outbox.send(started);
  outbox.send(ended);
  await turn();
  expect(writes).toEqual([[ended, ended]]);
  vi.advanceTimersByTime(100);
  expect(writes).toHaveLength(1);
});
