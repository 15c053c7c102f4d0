import { describe, expect, it } from 'vitest';
import type { LogEvent } from '../../../src/api/views.ts';
import { Fault, Rejection } from '../../../src/errors.ts';
import { LIMITS } from '../../../src/limits.ts';
import { eventStream } from '../../../node/http/log-events.ts';
import { Followers } from '../../../node/http/followers.ts';
import { FakeCore } from './fake-core.ts';
import { responseTo, serve } from './serving.ts';

const AT = '2026-01-02T03:04:05.678Z';
const EVENTS = { accept: 'text/event-stream' };

function event(data: string | Uint8Array, stream: LogEvent['stream'] = 'stdout'): LogEvent {
  return { stream, at: AT, data: typeof data === 'string' ? Buffer.from(data) : data };
}

async function* items(...events: readonly LogEvent[]): AsyncGenerator<LogEvent, void> {
  yield* events;
}

async function serveLogs(logEvents: FakeCore['logEvents']) {
  const core = new FakeCore();
  core.logEvents = logEvents;
  const served = await serve(core);
  return { ...served, path: `/v1/jobs/${core.addJob('running').id}/logs` };
}

/** Events that come one by one as the test gives them, until the reader leaves. */
function live() {
  const given: LogEvent[] = [];
  let wake = (): void => undefined;
  let ended = false;
  const left = Promise.withResolvers<void>();
  async function* follow(signal: AbortSignal): AsyncGenerator<LogEvent, void> {
    signal.addEventListener('abort', () => {
      left.resolve();
      wake();
    });
    while (!signal.aborted) {
      const next = given.shift();
      if (next !== undefined) yield next;
      else if (ended) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  return {
    follow: (_query: unknown, signal: AbortSignal) => follow(signal),
    give(next: LogEvent) {
      given.push(next);
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    left: left.promise,
  };
}

describe('the log as text', () => {
  it('has the octets as they were written', async () => {
    const octets = Buffer.from([0x68, 0xff, 0x00, 0xc3, 0x1b, 0x5b, 0x0a]);
    const { ask, path } = await serveLogs(() => items(event(octets), event('err', 'stderr')));
    const answer = await ask('GET', path);
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(answer.bytes).toEqual(Buffer.concat([octets, Buffer.from('err')]));
  });

  it.each([
    ['', { stream: 'both', follow: false, tail: null, attempt: null }],
    ['?follow', { stream: 'both', follow: true, tail: null, attempt: null }],
    ['?stream=stderr&follow=1&tail=5&attempt=2', { stream: 'stderr', follow: true, tail: 5, attempt: 2 }],
    ['?follow=false&tail=0', { stream: 'both', follow: false, tail: 0, attempt: null }],
  ])('asks the core for %j', async (query, wanted) => {
    const { ask, path, core } = await serveLogs(() => items());
    expect((await ask('GET', path + query)).status).toBe(200);
    expect(core.called('logs')[0]?.[1]).toEqual(wanted);
  });

  it.each(['stream=all', 'tail=-1', 'tail=x', 'attempt=0', 'follow=maybe', 'since=1h'])(
    'answers 400 to ?%s',
    async (query) => {
      const { ask, path } = await serveLogs(() => items());
      expect((await ask('GET', `${path}?${query}`)).status).toBe(400);
    },
  );

  it('answers with a status what fails before the first byte', async () => {
    const core = new FakeCore();
    core.logs = async () => {
      throw new Fault('logUnavailable', 'the machine that has it is gone');
    };
    const { ask } = await serve(core);
    const answer = await ask('GET', `/v1/jobs/${core.addJob().id}/logs`);
    expect(answer.problem()).toMatchObject({ status: 404, code: 'logUnavailable' });
  });

  it('is cut, not ended, by what fails later', async () => {
    const { ask, path } = await serveLogs(async function* () {
      yield event('begun');
      throw new Fault('peerUnreachable', 'gone');
    });
    await expect(ask('GET', path)).rejects.toThrow(/aborted|socket hang up/);
  });
});

describe('following a log', () => {
  it('sends the head at once and each piece as it comes', async () => {
    const log = live();
    const { open, path } = await serveLogs(log.follow);
    const call = open('GET', `${path}?follow=true`);
    call.end();
    const response = await responseTo(call);
    expect(response.statusCode).toBe(200);
    const chunks = response[Symbol.asyncIterator]();
    for (const text of ['one\n', 'two\n']) {
      log.give(event(text));
      expect(String((await chunks.next()).value)).toBe(text);
    }
    log.end();
    expect((await chunks.next()).done).toBe(true);
  });

  it('stops the core when the client leaves, and makes room for another', async () => {
    const log = live();
    const { open, path, registry } = await serveLogs(log.follow);
    const call = open('GET', `${path}?follow=true`);
    call.end();
    const response = await responseTo(call);
    response.on('error', () => undefined);
    expect(await registry.getSingleMetricAsString('quorate_http_log_followers')).toContain(' 1');
    call.destroy();
    await log.left;
    expect(await registry.getSingleMetricAsString('quorate_http_log_followers')).toContain(' 0');
  });

  it('is cut when the node stops, so that it does not look whole', async () => {
    const log = live();
    const { open, path, server } = await serveLogs(log.follow);
    const call = open('GET', `${path}?follow=true`);
    call.end();
    const response = await responseTo(call);
    log.give(event('begun'));
    const chunks = response[Symbol.asyncIterator]();
    await chunks.next();
    const closed = server.close();
    await expect(chunks.next()).rejects.toThrow('aborted');
    await closed;
  });

  it('takes no more from the core than its reader takes', async () => {
    let produced = 0;
    const { open, path } = await serveLogs(async function* (_query, signal) {
      while (!signal.aborted) {
        produced += 1;
        yield event(Buffer.alloc(64 * 1024));
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const call = open('GET', `${path}?follow=true`);
    call.end();
    const response = await responseTo(call);
    response.pause();
    let before = -1;
    while (produced !== before) {
      before = produced;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    const held = produced;
    response.once('data', () => undefined);
    response.resume();
    while (produced < held + 100) await new Promise((resolve) => setTimeout(resolve, 10));
    call.destroy();
  }, 60_000);

  it('is refused to one too many', () => {
    const followers = new Followers('logFollowers');
    const controllers = Array.from({ length: LIMITS.logFollowers }, () => new AbortController());
    for (const { signal } of controllers) followers.admit(signal);
    const one = new AbortController();
    expect(() => followers.admit(one.signal)).toThrow(Rejection);
    controllers[0]?.abort();
    followers.admit(one.signal);
    expect(followers.count).toBe(LIMITS.logFollowers);
  });
});

describe('the log as events', () => {
  it('has stream, time and text, and one end', async () => {
    const { ask, path } = await serveLogs(() => items(event('hi\n'), event('oh "no"', 'stderr')));
    const answer = await ask('GET', path, { headers: EVENTS });
    expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(answer.text).toBe(
      `event: log\ndata: {"stream":"stdout","at":"${AT}","data":"hi\\n"}\n\n` +
        `event: log\ndata: {"stream":"stderr","at":"${AT}","data":"oh \\"no\\""}\n\n` +
        'event: end\ndata: {}\n\n',
    );
  });

  it('has every byte in base64 when asked', async () => {
    const octets = Buffer.from([0xff, 0x00, 0xc3]);
    const { ask, path } = await serveLogs(() => items(event(octets)));
    const accept = 'text/event-stream; encoding=base64';
    expect((await ask('GET', path, { headers: { accept } })).text).toBe(
      `event: log\ndata: {"stream":"stdout","at":"${AT}","base64":"/wDD"}\n\nevent: end\ndata: {}\n\n`,
    );
  });

  it('keeps a character together that comes in two pieces of its stream', async () => {
    const [first, second] = [Buffer.from('é').subarray(0, 1), Buffer.from('é').subarray(1)];
    const texts = await textsOf(items(event(first), event('between', 'stderr'), event(second), event(first)));
    expect(texts).toEqual(['between', 'é', '\ufffd']);
  });

  it('ends with an error event when it fails', async () => {
    const { ask, path } = await serveLogs(async function* () {
      yield event('begun');
      throw new Fault('peerUnreachable', 'the machine is gone');
    });
    const answer = await ask('GET', path, { headers: EVENTS });
    expect(answer.text).toMatch(/event: error\ndata: .*"code":"peerUnreachable".*\n\n$/);
    expect(answer.text).not.toContain('event: end');
  });

  it('has a comment now and then while nothing comes', async () => {
    const log = live();
    const abort = new AbortController();
    const stream = eventStream(log.follow(null, abort.signal), abort.signal, { encoding: 'text', heartbeatMs: 5 });
    expect((await stream.next()).value).toBe(': alive\n\n');
    expect((await stream.next()).value).toBe(': alive\n\n');
    log.give(event('late'));
    let next = await stream.next();
    while (next.value === ': alive\n\n') next = await stream.next();
    expect(next.value).toContain('"data":"late"');
    await stream.return();
  });
});

async function textsOf(events: AsyncIterable<LogEvent>): Promise<readonly string[]> {
  const texts: string[] = [];
  for await (const piece of eventStream(events, new AbortController().signal, { encoding: 'text' })) {
    for (const [, data = ''] of Buffer.from(piece)
      .toString()
      .matchAll(/event: log\ndata: (.*)\n\n/g)) {
      texts.push((JSON.parse(data) as { data: string }).data);
    }
  }
  return texts;
}
