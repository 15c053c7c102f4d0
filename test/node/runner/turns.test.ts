import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ToRunner } from '../../../node/runner/messages.ts';
import { createTurns } from '../../../node/runner/turns.ts';
import { randomJob } from './support.ts';

const start = (): ToRunner => {
  const assignment = {
    job: randomJob(),
    attempt: 1,
    spec: { command: ['true'] },
    timeoutMs: null,
    idleTimeoutMs: null,
    env: {},
  };
  return { kind: 'start', assignment };
};
const forget = (): ToRunner => ({ kind: 'forget', key: { job: randomJob(), attempt: 1 } });

test('messages keep their order, and the event loop has its turn after each start', async () => {
  const done: ToRunner[] = [];
  const turns = createTurns((message) => done.push(message));
  const messages = [forget(), start(), forget(), start(), start(), forget()];
  for (const message of messages) turns.take(message);
  expect(done).toEqual(messages.slice(0, 2));
  await turn();
  expect(done).toEqual(messages.slice(0, 4));
  turns.take(messages[0] as ToRunner);
  expect(done).toEqual(messages.slice(0, 4));
  await turn();
  await turn();
  expect(done).toEqual([...messages, messages[0]]);
  turns.take(messages[1] as ToRunner);
  expect(done.at(-1)).toBe(messages[1]);
});

test('a message that comes of a message waits for its turn', async () => {
  const done: string[] = [];
  const turns = createTurns((message) => {
    if (message.kind === 'start') turns.take(forget());
    done.push(message.kind);
  });
  turns.take(start());
  await turn();
  expect(done).toEqual(['start', 'forget']);
});

test('what is about no attempt does not wait', () => {
  const done: string[] = [];
  const turns = createTurns((message) => done.push(message.kind));
  turns.take(start());
  turns.take(start());
  turns.take({ kind: 'renew', ms: 1 });
  turns.take({ kind: 'hello' });
  turns.take({ kind: 'shutdown' });
  expect(done).toEqual(['start', 'renew', 'hello', 'shutdown']);
});

test('what waits is forgotten with the node that said it', async () => {
  const done: string[] = [];
  const turns = createTurns((message) => done.push(message.kind));
  turns.take(start());
  turns.take(start());
  turns.clear();
  turns.take(forget());
  expect(done).toEqual(['start']);
  await turn();
  expect(done).toEqual(['start', 'forget']);
  turns.take(start());
  expect(done).toEqual(['start', 'forget', 'start']);
});
