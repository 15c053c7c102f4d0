import { describe, expect, it } from 'vitest';
import type { FeedItem } from '../../../src/api/event-view.ts';
import { EVENT_KINDS } from '../../../src/api/event-view.ts';
import { jobPrincipal } from '../../../src/auth.ts';
import { Fault, Rejection } from '../../../src/errors.ts';
import type { JobId } from '../../../src/ids.ts';
import { LIMITS } from '../../../src/limits.ts';
import { Followers } from '../../../node/http/followers.ts';
import { FakeCore, GROUP } from './fake-core.ts';
import { responseTo, serve, type Given } from './serving.ts';

const JOB = '00000000-0000-7000-8000-000000000001' as JobId;

const EVENT: FeedItem = {
  kind: 'event',
  event: { id: '7.0', at: '2026-01-02T03:04:05.678Z', kind: 'job', subject: JOB, job: null },
};

/** What the core was asked for; the stream ends at once. */
async function asked(query: string, given: Given = {}) {
  const served = await serve();
  served.core.addToken('jobs', ['jobs:read']);
  const answer = await served.ask('GET', `/v1/events${query}`, given).catch(() => null);
  return { answer, query: served.core.called('events')[0]?.[0] };
}

describe('GET /v1/events', () => {
  it('sends each item with its id, until its reader leaves', async () => {
    const core = new FakeCore();
    const left = Promise.withResolvers<void>();
    core.feed = async function* (_query, signal) {
      yield [{ kind: 'alive', id: '6' }, EVENT];
      yield [{ kind: 'gap', gap: { after: '7.0', resumed: '9' } }];
      signal.addEventListener('abort', () => left.resolve());
      await left.promise;
    };
    const { open, registry } = await serve(core);
    const call = open('GET', '/v1/events');
    call.end();
    const response = await responseTo(call);
    response.on('error', () => undefined);
    expect(response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    let text = '';
    for await (const chunk of response) {
      text += String(chunk);
      if (text.includes('gap')) break;
    }
    expect(text).toBe(
      'id: 6\nevent: alive\ndata: {}\n\n' +
        `id: 7.0\nevent: event\ndata: {"id":"7.0","at":"2026-01-02T03:04:05.678Z","kind":"job","subject":"${JOB}","job":null}\n\n` +
        'id: 9\nevent: gap\ndata: {"after":"7.0","resumed":"9"}\n\n',
    );
    call.destroy();
    await left.promise;
    expect(await registry.getSingleMetricAsString('quorate_http_event_followers')).toContain(' 0');
  });

  it('follows everything from now on when nothing is said', async () => {
    expect((await asked('')).query).toEqual({ after: null, filter: { kinds: new Set(EVENT_KINDS) } });
  });

  it('narrows by what the query names', async () => {
    const { query } = await asked(
      `?kind=job&kind=group&state=failed&state=lost&job=${JOB}&project=p&queue=q&group=${GROUP}&parent=${JOB}&label=a=1&label=b=x%3Dy`,
    );
    expect(query).toEqual({
      after: null,
      filter: {
        kinds: new Set(['job', 'group']),
        states: new Set(['failed', 'lost']),
        job: JOB,
        project: 'p',
        queue: 'q',
        group: GROUP,
        parent: JOB,
        labels: { a: '1', b: 'x=y' },
      },
    });
  });

  it.each<[string, Given, { index: number; ordinal: number }]>([
    ['?after=12', {}, { index: 12, ordinal: Infinity }],
    ['', { headers: { 'last-event-id': '12.3' } }, { index: 12, ordinal: 3 }],
    ['?after=5', { headers: { 'last-event-id': '12.3' } }, { index: 12, ordinal: 3 }],
  ])('goes on behind the last id: %s %j', async (search, given, after) => {
    expect((await asked(search, given)).query).toMatchObject({ after });
  });

  it.each<[string, Given]>([
    ['?kind=token', {}],
    ['?state=done', {}],
    ['?after=x', {}],
    ['?label=a', {}],
    ['', { headers: { 'last-event-id': 'x' } }],
  ])('refuses what it cannot read: %s %j', async (search, given) => {
    const { answer, query } = await asked(search, given);
    expect(answer?.problem()).toMatchObject({ status: 400, code: 'invalidRequest' });
    expect(query).toBeUndefined();
  });

  it('leaves out what the token may not read, and refuses what it asks for of that', async () => {
    const headers = { authorization: 'Bearer jobs' };
    expect((await asked('', { headers })).query).toMatchObject({
      filter: { kinds: new Set(['job', 'group', 'queue']) },
    });
    const { answer } = await asked('?kind=runner', { headers });
    expect(answer?.problem()).toMatchObject({ status: 403, code: 'forbidden', field: 'kind' });
  });

  it('lets a job follow its own children alone', async () => {
    const core = new FakeCore();
    core.anonymous = { principal: jobPrincipal({ id: JOB, attempt: 1 }), scopes: ['jobs:read', 'jobs:write'] };
    const { ask } = await serve(core);
    expect((await ask('GET', '/v1/events')).problem()).toMatchObject({ code: 'forbidden' });
    expect((await ask('GET', `/v1/events?group=${GROUP}`)).problem()).toMatchObject({ code: 'forbidden' });
    await ask('GET', `/v1/events?parent=${JOB}`).catch(() => undefined);
    expect(core.called('events')).toHaveLength(1);
  });

  it('ends with a problem when the node cannot go on', async () => {
    const core = new FakeCore();
    core.feed = async function* () {
      yield [EVENT];
      throw new Fault('stopping', 'this node is stopping');
    };
    const { ask } = await serve(core);
    expect((await ask('GET', '/v1/events')).text).toContain('event: error\ndata: {');
  });

  it('is refused to one too many', () => {
    const followers = new Followers('eventFollowers');
    const signal = new AbortController().signal;
    for (let n = 0; n < LIMITS.eventFollowers; n += 1) followers.admit(signal);
    expect(() => followers.admit(signal)).toThrow(Rejection);
  });
});
