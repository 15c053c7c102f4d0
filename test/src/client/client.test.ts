import { afterEach, describe, expect, it } from 'vitest';
import { QuorateClient, type ClientOptions } from '../../../src/client/client.ts';
import { ApiError, OutcomeUnknownError, ProtocolError, UnreachableError } from '../../../src/client/client-error.ts';
import { baseUrl } from '../../../src/client/transport.ts';
import {
  answerJson,
  answerProblem,
  FakeApi,
  type FakeHandler,
  JOB_ID,
  jobView,
  refusedUrl,
} from '../../support/fake-api.ts';

const open: FakeApi[] = [];

async function fake(handler: FakeHandler): Promise<FakeApi> {
  const api = await FakeApi.start(handler);
  open.push(api);
  return api;
}

function clientOf(urls: readonly string[], options: Partial<ClientOptions> = {}): QuorateClient {
  return new QuorateClient({ urls, unreachableMs: 0, ...options });
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((api) => api.close()));
});

describe('a client of several nodes', () => {
  it('moves on to the next while one is away, and stays there', async () => {
    const alive = await fake((_request, response) => answerJson(response, jobView()));
    const away = await refusedUrl();
    const client = clientOf([away, alive.url]);
    expect((await client.jobs.get(JOB_ID)).id).toBe(JOB_ID);
    expect((await client.jobs.get(JOB_ID)).id).toBe(JOB_ID);
    expect(alive.requests).toHaveLength(2);
  });

  it('tells every address and why when none answers', async () => {
    const urls = [await refusedUrl(), await refusedUrl()];
    const error = await clientOf(urls)
      .jobs.get(JOB_ID)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnreachableError);
    expect((error as UnreachableError).failed.map(({ url, reason }) => [url, reason])).toEqual(
      urls.map((url) => [url, 'connection refused']),
    );
  });

  it('asks another when one says that it cannot now', async () => {
    const busy = await fake((_request, response) => answerProblem(response, 503, 'noLeader'));
    const ready = await fake((_request, response) => answerJson(response, jobView()));
    expect((await clientOf([busy.url, ready.url]).jobs.get(JOB_ID)).id).toBe(JOB_ID);
  });

  it('asks the only one again until it can', async () => {
    let asked = 0;
    const node = await fake((_request, response) => {
      asked += 1;
      if (asked < 3) answerProblem(response, 503, 'noLeader');
      else answerJson(response, jobView());
    });
    expect((await clientOf([node.url]).jobs.get(JOB_ID)).id).toBe(JOB_ID);
    expect(asked).toBe(3);
  });

  it('gives up with the last answer when a node stays busy', async () => {
    const busy = await fake((_request, response) => answerProblem(response, 503, 'noLeader'));
    const call = clientOf([busy.url], { busyMs: 0 }).jobs.get(JOB_ID);
    await expect(call).rejects.toMatchObject({ name: 'ApiError', code: 'noLeader', status: 503 });
  });

  it('goes on when one cuts the connection in the middle of its answer', async () => {
    const cutting = await fake((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"id":');
      setImmediate(() => response.destroy());
    });
    const whole = await fake((_request, response) => answerJson(response, jobView()));
    expect((await clientOf([cutting.url, whole.url]).jobs.get(JOB_ID)).id).toBe(JOB_ID);
  });

  it('gives up on one that never answers', async () => {
    const silent = await fake(() => undefined);
    const ready = await fake((_request, response) => answerJson(response, jobView()));
    const client = clientOf([silent.url, ready.url], { answerTimeoutMs: 50 });
    expect((await client.jobs.get(JOB_ID)).id).toBe(JOB_ID);
  });
});

describe('a submission', () => {
  it('is repeated at the next node under the same key when the connection is lost', async () => {
    const keys: unknown[] = [];
    const dying = await fake((request, response) => {
      keys.push(request.headers['idempotency-key']);
      response.destroy();
    });
    const alive = await fake((request, response) => {
      keys.push(request.headers['idempotency-key']);
      answerJson(response, jobView(), 201);
    });
    await clientOf([dying.url, alive.url]).jobs.submit({ command: ['true'] });
    expect(keys).toHaveLength(2);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(keys[1]).toBe(keys[0]);
  });

  it('carries the key that the caller chose, another one for each call otherwise, and the token', async () => {
    const node = await fake((_request, response) => answerJson(response, jobView(), 201));
    const client = clientOf([node.url], { token: 'qt_secret' });
    await client.jobs.submit({ command: ['true'] }, { idempotencyKey: 'mine' });
    await client.jobs.submit({ command: ['true'] });
    await client.jobs.submit({ command: ['true'] });
    const keys = node.requests.map((request) => request.headers['idempotency-key']);
    expect(keys[0]).toBe('mine');
    expect(keys[1]).not.toBe(keys[2]);
    expect(node.requests[0]?.headers.authorization).toBe('Bearer qt_secret');
  });
});

describe('a call that must not be done twice', () => {
  it('is not repeated when the connection is lost behind it', async () => {
    const dying = await fake((_request, response) => response.destroy());
    const other = await fake((_request, response) => answerJson(response, {}));
    const call = clientOf([dying.url, other.url]).tokens.create({ name: 'x', scopes: ['jobs:read'] });
    await expect(call).rejects.toThrow(OutcomeUnknownError);
    expect(other.requests).toHaveLength(0);
  });

  it('moves on when no node can have taken it', async () => {
    const other = await fake((_request, response) => answerJson(response, { token: 'qt_1' }, 201));
    const client = clientOf([await refusedUrl(), other.url]);
    expect(await client.tokens.create({ name: 'x', scopes: ['jobs:read'] })).toEqual({ token: 'qt_1' });
  });
});

describe('what a node refuses', () => {
  it('is thrown with its code, field and limit, and not repeated', async () => {
    const limit = { name: 'specBytes', value: 3 };
    const node = await fake((_request, response) =>
      answerProblem(response, 413, 'tooLarge', { field: 'command', limit }),
    );
    const error = await clientOf([node.url])
      .jobs.submit({ command: ['true'] })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code: 'tooLarge', status: 413, url: node.url, problem: { field: 'command', limit } });
    expect(node.requests).toHaveLength(1);
  });

  it('is told also when something else than a node answers', async () => {
    const proxy = await fake((_request, response) => response.writeHead(404).end('<html>nothing here</html>'));
    await expect(clientOf([proxy.url]).jobs.get(JOB_ID)).rejects.toMatchObject({ code: 'badAnswer', status: 404 });
  });

  it('is not mistaken for an answer that is no JSON', async () => {
    const other = await fake((_request, response) => response.end('hello'));
    await expect(clientOf([other.url]).jobs.get(JOB_ID)).rejects.toThrow(ProtocolError);
  });

  it('does not lead the token to another host by a redirect', async () => {
    const other = await fake((_request, response) => answerJson(response, jobView()));
    const node = await fake((_request, response) => response.writeHead(307, { location: `${other.url}/x` }).end());
    await expect(clientOf([node.url], { token: 'qt_secret' }).jobs.get(JOB_ID)).rejects.toThrow();
    expect(other.requests).toHaveLength(0);
  });
});

describe('waiting for a job', () => {
  it('asks again after each poll that ends without a final state', async () => {
    const states = ['queued', 'running', 'succeeded'] as const;
    let polls = 0;
    const node = await fake((_request, response) => {
      answerJson(response, jobView({ state: states[polls] ?? 'succeeded' }));
      polls += 1;
    });
    expect((await clientOf([node.url]).jobs.wait(JOB_ID)).state).toBe('succeeded');
    expect(node.requests.map(({ path }) => path)).toEqual(Array(3).fill(`/v1/jobs/${JOB_ID}/wait`));
  });

  it('outlasts the restart of the only node', async () => {
    let asked = 0;
    const node = await fake((_request, response) => {
      asked += 1;
      if (asked < 4) response.destroy();
      else answerJson(response, jobView());
    });
    expect((await clientOf([node.url], { reconnectMs: 30_000 }).jobs.wait(JOB_ID)).state).toBe('succeeded');
  });

  it('gives the job as it is when the time is over', async () => {
    const node = await fake((_request, response) => answerJson(response, jobView({ state: 'running' })));
    expect((await clientOf([node.url]).jobs.wait(JOB_ID, { timeoutMs: 0 })).state).toBe('running');
  });

  it('ends at once when the caller aborts', async () => {
    const node = await fake(() => undefined);
    const abort = new AbortController();
    const call = clientOf([node.url]).jobs.wait(JOB_ID, { signal: abort.signal });
    setTimeout(() => abort.abort(new Error('enough')), 20);
    await expect(call).rejects.toThrow('enough');
  });
});

describe('a list of jobs', () => {
  it('is read page by page with all its filters', async () => {
    const node = await fake((request, response) => {
      const cursor = request.query.get('cursor');
      const nextCursor = cursor === null ? 'c1' : cursor === 'c1' ? 'c2' : null;
      answerJson(response, { items: cursor === 'c1' ? [] : [jobView({ id: `job-${cursor}` })], nextCursor });
    });
    const client = clientOf([node.url]);
    const query = { state: 'failed', labels: { team: 'core', 'a=b': 'c&d' }, limit: 2 } as const;
    const ids = (await Array.fromAsync(client.jobs.all(query))).map(({ id }) => id);
    expect(ids).toEqual(['job-null', 'job-c2']);
    expect(node.requests[1]?.query.getAll('label')).toEqual(['team=core', 'a=b=c&d']);
    expect(node.requests[1]?.query.get('state')).toBe('failed');
  });
});

describe('an address', () => {
  it.each([
    ['127.0.0.1:8750', 'http://127.0.0.1:8750'],
    ['http://[::1]:8750/', 'http://[::1]:8750'],
    ['https://example.test/quorate/', 'https://example.test/quorate'],
  ])('%s stands for %s', (text, url) => expect(baseUrl(text)).toBe(url));

  it.each(['ftp://host:1', 'http://', 'http://user:pass@host', 'http://host?x=1', 'not an address'])(
    '%s is none',
    (text) => expect(() => baseUrl(text)).toThrow(TypeError),
  );
});
