import { describe, expect, it } from 'vitest';
import { Fault, Rejection } from '../../../src/errors.ts';
import type { FaultCode } from '../../../src/errors.ts';
import { LIMITS } from '../../../src/limits.ts';
import type { JobView, Page } from '../../../src/api/views.ts';
import type { SubmitItem } from '../../../node/core.ts';
import type { JobId } from '../../../src/ids.ts';
import { FakeCore } from './fake-core.ts';
import { responseTo, serve } from './serving.ts';

const UNKNOWN = '00000000-0000-7000-8000-0000000000ff';

describe('POST /v1/jobs', () => {
  it('answers 201 with the job and where it is', async () => {
    const { ask } = await serve();
    const answer = await ask('POST', '/v1/jobs', { json: { command: ['echo', 'hi'], priority: 7 } });
    const job = answer.json<JobView>();
    expect(answer.status).toBe(201);
    expect(answer.headers.location).toBe(`/v1/jobs/${job.id}`);
    expect(job).toMatchObject({ state: 'queued', spec: { command: ['echo', 'hi'], priority: 7 } });
  });

  it.each([{}, { 'content-type': 'application/x-www-form-urlencoded' }, { 'content-type': 'APPLICATION/JSON; a=b' }])(
    'takes JSON as curl sends it, with the headers %j',
    async (headers) => {
      const { ask } = await serve();
      expect((await ask('POST', '/v1/jobs', { body: '{"command":["echo","hi"]}', headers })).status).toBe(201);
    },
  );

  it.each(['text/plain', 'multipart/form-data; boundary=x', 'application/xml', ';', 'nonsense'])(
    'answers 415 to the content type %s',
    async (type) => {
      const { ask, core } = await serve();
      const answer = await ask('POST', '/v1/jobs', { body: '{"command":["a"]}', headers: { 'content-type': type } });
      expect(answer.status).toBe(415);
      expect(answer.headers['content-type']).toBe('application/problem+json');
      expect(answer.problem().code).toBe('unsupportedMediaType');
      expect(core.called('submit')).toEqual([]);
    },
  );

  it('answers 415 to a compressed body', async () => {
    const { ask } = await serve();
    const answer = await ask('POST', '/v1/jobs', { json: {}, headers: { 'content-encoding': 'gzip' } });
    expect(answer.status).toBe(415);
  });

  it('tells where malformed JSON goes wrong', async () => {
    const { ask } = await serve();
    const answer = await ask('POST', '/v1/jobs', { body: '{"command":\n["a" "b"]}' });
    expect(answer.problem()).toMatchObject({ status: 400, code: 'invalidRequest' });
    expect(answer.problem().detail).toContain('position 17 (line 2, column 6)');
  });

  it.each(['', ' ', '{', '{"command":["a"]'])('tells of the text %j that it ends too early', async (body) => {
    const { ask } = await serve();
    const answer = await ask('POST', '/v1/jobs', { body });
    expect(answer.status).toBe(400);
    expect(answer.problem().detail).toContain(`ends too early at position ${body.length}`);
  });

  it('answers 400 to bytes that are not UTF-8', async () => {
    const { ask } = await serve();
    const body = Buffer.concat([Buffer.from('{"command":["'), Buffer.from([0xff]), Buffer.from('"]}')]);
    expect((await ask('POST', '/v1/jobs', { body })).problem()).toMatchObject({ status: 400, code: 'invalidRequest' });
  });

  it('names a field that does not exist', async () => {
    const { ask } = await serve();
    const answer = await ask('POST', '/v1/jobs', { json: { command: ['a'], comand: 1 } });
    expect(answer.problem()).toMatchObject({ status: 400, code: 'unknownField', field: 'comand' });
  });

  it('names a field of the wrong type', async () => {
    const { ask } = await serve();
    const answer = await ask('POST', '/v1/jobs', { json: { command: ['a'], priority: 'high' } });
    expect(answer.problem()).toMatchObject({ status: 400, code: 'invalidRequest', field: 'priority' });
  });

  it('answers 413 to a body past its limit, announced or not, and names the limit', async () => {
    const { ask, open } = await serve();
    const body = JSON.stringify({ command: ['a'], stdin: 'x'.repeat(256 * 1024) });
    const announced = await ask('POST', '/v1/jobs', { body });
    expect(announced.problem()).toMatchObject({
      status: 413,
      code: 'tooLarge',
      limit: { name: 'specBytes', value: 256 * 1024 },
    });
    const call = open('POST', '/v1/jobs', { 'transfer-encoding': 'chunked' });
    const response = responseTo(call);
    call.end(body);
    expect((await response).statusCode).toBe(413);
  });

  it('hands the principal of the token to the core', async () => {
    const { ask, core } = await serve();
    core.addToken('writer', ['jobs:write']);
    await ask('POST', '/v1/jobs', { json: { command: ['a'] }, headers: { authorization: 'Bearer writer' } });
    expect(core.called('submit')[0]?.[0]).toMatchObject({ principal: { id: 'token:writer' } });
  });

  it('answers what the core refused with its code', async () => {
    const core = new FakeCore();
    core.submit = async () => [{ ok: false, code: 'queueFull', message: 'full', field: 'queue' }];
    const { ask } = await serve(core);
    const answer = await ask('POST', '/v1/jobs', { json: { command: ['a'] } });
    expect(answer.problem()).toMatchObject({ status: 429, code: 'queueFull', detail: 'full', field: 'queue' });
    expect(answer.headers['retry-after']).toBe('1');
  });

  it('asks the cluster when the own replica does not hold the job', async () => {
    const core = new FakeCore();
    const read = core.job.bind(core);
    core.job = async (id, consistency) => {
      if (consistency === 'stale') throw new Rejection('notFound', 'not here yet');
      return await read(id, consistency);
    };
    const { ask } = await serve(core);
    expect((await ask('POST', '/v1/jobs', { json: { command: ['a'] } })).status).toBe(201);
  });
});

describe('Idempotency-Key', () => {
  it('of a job that is purged by now is answered with that, and makes no second one', async () => {
    const { ask, core } = await serve();
    const submit = async () =>
      await ask('POST', '/v1/jobs', { json: { command: ['a'] }, headers: { 'idempotency-key': 'k' } });
    const { id } = (await submit()).json<{ id: JobId }>();
    core.stored.delete(id);
    const again = (await submit()).problem();
    expect(again).toMatchObject({ status: 410, code: 'gone', field: 'Idempotency-Key' });
    expect(again.detail).toContain(id);
    expect(core.stored.size).toBe(0);
  });

  const headers = { 'idempotency-key': 'deploy-17' };

  it('gives the same job with 200 to the same body in another order of keys', async () => {
    const { ask } = await serve();
    const first = await ask('POST', '/v1/jobs', { json: { command: ['a'], env: { A: '1', B: '2' } }, headers });
    const again = await ask('POST', '/v1/jobs', { body: '{"env":{"B":"2","A":"1"}, "command":["a"]}', headers });
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.json<JobView>().id).toBe(first.json<JobView>().id);
  });

  it('answers 409 to another body', async () => {
    const { ask } = await serve();
    await ask('POST', '/v1/jobs', { json: { command: ['a', 'b'] }, headers });
    const other = await ask('POST', '/v1/jobs', { json: { command: ['b', 'a'] }, headers });
    expect(other.problem()).toMatchObject({ status: 409, code: 'idempotencyConflict' });
  });

  it('hands on a hash of 64 digits, and nothing without the header', async () => {
    const { ask, core } = await serve();
    await ask('POST', '/v1/jobs', { json: { command: ['a'] }, headers });
    await ask('POST', '/v1/jobs', { json: { command: ['a'] } });
    const [keyed, plain] = core.called('submit').map((call) => (call[1] as SubmitItem[])[0]);
    expect(keyed?.idempotency?.key).toBe('deploy-17');
    expect(keyed?.idempotency?.bodyHash).toMatch(/^[0-9a-f]{64}$/);
    expect(plain?.idempotency).toBeNull();
  });

  it.each(['', 'x'.repeat(257), 'two words'])('answers 400 to the key %#', async (key) => {
    const { ask, core } = await serve();
    const answer = await ask('POST', '/v1/jobs', { json: { command: ['a'] }, headers: { 'idempotency-key': key } });
    expect(answer.problem()).toMatchObject({ status: 400, field: 'Idempotency-Key' });
    expect(core.called('submit')).toEqual([]);
  });
});

describe('reading jobs', () => {
  it('gives one job, linearizable unless asked otherwise', async () => {
    const { ask, core } = await serve();
    const job = core.addJob('succeeded');
    expect((await ask('GET', `/v1/jobs/${job.id}`)).json()).toEqual(job);
    await ask('GET', `/v1/jobs/${job.id}?consistency=stale`);
    expect(core.called('job').map((call) => call[1])).toEqual(['linearizable', 'stale']);
  });

  it.each([UNKNOWN, 'nonsense', '%00', 'a'.repeat(300)])('answers 404 to the id %#', async (id) => {
    const { ask } = await serve();
    const answer = await ask('GET', `/v1/jobs/${id}`);
    expect([400, 404]).toContain(answer.status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
  });

  it('lists with every filter', async () => {
    const { ask, core } = await serve();
    core.addJob();
    const query =
      'state=queued&queue=q&project=p&name=n&label=a=1&label=b=x%3Dy&limit=5&cursor=00000000-0000-7000-8000-0000000000ff&consistency=stale';
    const page = (await ask('GET', `/v1/jobs?${query}`)).json<Page<JobView>>();
    expect(page.items).toHaveLength(1);
    expect(page.nextCursor).toBe('next');
    expect(core.called('jobs')[0]).toEqual([
      {
        filter: { state: 'queued', queue: 'q', project: 'p', name: 'n', labels: { a: '1', b: 'x=y' } },
        limit: 5,
        cursor: '00000000-0000-7000-8000-0000000000ff',
      },
      'stale',
    ]);
  });

  it('lists a hundred from the start when nothing is asked', async () => {
    const { ask, core } = await serve();
    await ask('GET', '/v1/jobs');
    expect(core.called('jobs')[0]).toEqual([{ filter: {}, limit: 100, cursor: null }, 'linearizable']);
  });

  it.each([
    ['state=done', 'invalidRequest', 'state'],
    ['limit=0', 'invalidRequest', 'limit'],
    ['limit=1001', 'invalidRequest', 'limit'],
    ['limit=many', 'invalidRequest', 'limit'],
    ['cursor=%00', 'invalidRequest', 'cursor'],
    ['cursor=abc', 'invalidRequest', 'cursor'],
    ['label=a', 'invalidRequest', 'label[0]'],
    ['consistency=strong', 'invalidRequest', 'consistency'],
    ['stat=queued', 'unknownField', 'stat'],
    ['queue=a&queue=b', 'invalidRequest', 'queue'],
  ])('answers 400 to ?%s', async (query, code, field) => {
    const { ask } = await serve();
    expect((await ask('GET', `/v1/jobs?${query}`)).problem()).toMatchObject({ status: 400, code, field });
  });

  it('refuses parameters where a route takes none', async () => {
    const { ask } = await serve();
    expect((await ask('GET', '/v1/tokens?limit=1')).problem()).toMatchObject({ code: 'unknownField', field: 'limit' });
  });
});

describe('waiting for a job', () => {
  it.each([
    ['', 30_000],
    ['?timeout=90s', 90_000],
    ['?timeout=5h', 600_000],
  ])('with %j waits %i ms', async (query, timeoutMs) => {
    const { ask, core } = await serve();
    const job = core.addJob('succeeded');
    expect((await ask('GET', `/v1/jobs/${job.id}/wait${query}`)).json()).toEqual(job);
    expect(core.called('waitForJob')[0]?.[1]).toBe(timeoutMs);
  });

  it('answers 400 to a timeout that is none', async () => {
    const { ask, core } = await serve();
    const answer = await ask('GET', `/v1/jobs/${core.addJob().id}/wait?timeout=soon`);
    expect(answer.problem()).toMatchObject({ status: 400, field: 'timeout' });
  });

  it('stops when the client leaves', async () => {
    const { open, core } = await serve();
    const waiting = waitForAbort(core);
    const call = open('GET', `/v1/jobs/${core.addJob().id}/wait`);
    call.on('error', () => undefined);
    call.end();
    await waiting.started;
    call.destroy();
    await waiting.aborted;
  });

  it('answers 503 when the node stops, and the node does not wait for it', async () => {
    const { ask, core, server } = await serve();
    const waiting = waitForAbort(core);
    const answer = ask('GET', `/v1/jobs/${core.addJob().id}/wait`);
    await waiting.started;
    await server.close();
    expect((await answer).problem()).toMatchObject({ status: 503, code: 'stopping' });
  });
});

function waitForAbort(core: FakeCore): { readonly started: Promise<void>; readonly aborted: Promise<void> } {
  const started = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  core.waitForJob = (_id, _timeoutMs, signal) =>
    new Promise((_resolve, reject) => {
      started.resolve();
      signal.addEventListener('abort', () => {
        aborted.resolve();
        reject(new Error('aborted'));
      });
    });
  return { started: started.promise, aborted: aborted.promise };
}

describe('cancelling and retrying', () => {
  it('cancels in any state, or only what is queued', async () => {
    const { ask, core } = await serve();
    const { id } = core.addJob();
    expect((await ask('POST', `/v1/jobs/${id}/cancel`)).json()).toMatchObject({ state: 'cancelled' });
    expect((await ask('POST', `/v1/jobs/${id}/cancel?mode=queued`, { json: {} })).status).toBe(200);
    expect(core.called('cancelJob').map((call) => call[2])).toEqual(['any', 'queued']);
  });

  it('answers 409 when the job is final', async () => {
    const { ask, core } = await serve();
    const answer = await ask('POST', `/v1/jobs/${core.addJob('failed').id}/cancel`);
    expect(answer.problem()).toMatchObject({ status: 409, code: 'alreadyFinal' });
  });

  it('retries', async () => {
    const { ask, core } = await serve();
    const { id } = core.addJob('failed');
    expect((await ask('POST', `/v1/jobs/${id}/retry`)).status).toBe(200);
    expect(core.called('retryJob')[0]?.[1]).toBe(id);
  });

  it('refuses a body where none is taken', async () => {
    const { ask, core } = await serve();
    const { id } = core.addJob();
    expect((await ask('POST', `/v1/jobs/${id}/cancel`, { json: { mode: 'queued' } })).status).toBe(400);
    expect((await ask('POST', `/v1/jobs/${id}/cancel`, { body: 'x'.repeat(LIMITS.bodyBytes + 1) })).status).toBe(413);
    expect(core.called('cancelJob')).toEqual([]);
  });
});

describe('trouble', () => {
  const retryable: readonly FaultCode[] = ['noLeader', 'notLeader', 'overloaded', 'timedOut', 'peerUnreachable'];

  it.each([...retryable, 'runnerUnavailable', 'stopping'] as const)(
    'answers 503 to %s and says when to come back',
    async (code) => {
      const core = new FakeCore();
      core.jobs = async () => {
        throw new Fault(code, 'words for people');
      };
      const { ask } = await serve(core);
      const answer = await ask('GET', '/v1/jobs');
      expect(answer.problem()).toMatchObject({ status: 503, code, detail: 'words for people' });
      expect(answer.headers['retry-after']).toBe('1');
    },
  );

  it.each(['diskFull', 'diskFailed', 'corrupt'] as const)(
    'keeps paths in the message of %s to itself',
    async (code) => {
      const core = new FakeCore();
      core.jobs = async () => {
        throw new Fault(code, 'cannot write /secret/path');
      };
      const { ask } = await serve(core);
      const answer = await ask('GET', '/v1/jobs');
      expect(answer.status).toBeGreaterThanOrEqual(500);
      expect(answer.text).not.toContain('/secret/path');
    },
  );

  it('answers 500 to a bug with nothing of it but the id under which it is logged', async () => {
    const core = new FakeCore();
    core.jobs = async () => {
      throw new TypeError('SECRET internals');
    };
    const { ask, logged } = await serve(core);
    const answer = await ask('GET', '/v1/jobs');
    expect(answer.problem()).toMatchObject({ status: 500, code: 'internal' });
    expect(answer.text).not.toContain('SECRET');
    const requestId = /request (\S+)$/.exec(answer.problem().detail)?.[1];
    const line = logged()
      .split('\n')
      .find((text) => text.includes('SECRET internals'));
    expect(line).toContain(`"requestId":"${requestId}"`);
    expect((await ask('GET', '/healthz')).status).toBe(200);
  });
});
