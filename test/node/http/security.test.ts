import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { JOB_SCOPES, jobPrincipal, SCOPES } from '../../../src/auth.ts';
import type { JobId } from '../../../src/ids.ts';
import { createApp } from '../../../node/http/app.ts';
import type { Route } from '../../../node/http/route.ts';
import { FakeBlobs } from './fake-blobs.ts';
import { FakeCore, GROUP } from './fake-core.ts';
import { serve } from './serving.ts';

async function table(): Promise<readonly Route[]> {
  const app = await createApp(
    { core: new FakeCore(), blobs: new FakeBlobs(), metrics: new Registry(), logger: pino({ level: 'silent' }) },
    { allowedHosts: [], anonymous: 'asCoreSays', version: '1' },
  );
  await app.fastify.close();
  return app.routes;
}

function pathOf(route: Route): string {
  return route.path.replace(':id', 'some').replace(':hash', 'a'.repeat(64));
}

async function serveClosed() {
  const core = new FakeCore();
  core.anonymous = null;
  return await serve(core);
}

describe('authentication', async () => {
  const routes = await table();

  it.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s answers 401 without a token, unless it is about health',
    async (_name, route) => {
      const { ask, core } = await serveClosed();
      const answer = await ask(route.method, pathOf(route));
      if (route.path === '/healthz' || route.path === '/readyz') {
        expect(answer.status).toBe(200);
        return;
      }
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toContain('Bearer');
      expect(core.calls).toEqual([]);
    },
  );

  it('has only the health routes outside', () => {
    const open = routes.filter((route) => route.scope === 'public').map((route) => route.path);
    expect(open).toEqual(['/healthz', '/readyz']);
  });

  it.each(
    routes
      .filter(({ scope }) => scope !== 'public' && scope !== 'anyToken')
      .map((route) => [route.path, route] as const),
  )('%s answers 403 to a token with every other scope', async (_path, route) => {
    const { ask, core } = await serveClosed();
    core.addToken(
      'narrow',
      SCOPES.filter((scope) => scope !== 'admin' && scope !== route.scope),
    );
    const answer = await ask(route.method, pathOf(route), { headers: { authorization: 'Bearer narrow' } });
    expect(answer.status).toBe(403);
    expect(core.calls).toEqual([]);
  });

  it('takes the token that the scope allows', async () => {
    const { ask, core } = await serveClosed();
    core.addToken('reader', ['jobs:read']);
    const answer = await ask('GET', '/v1/jobs', { headers: { authorization: 'bearer reader' } });
    expect(answer.status).toBe(200);
  });

  it.each(['Basic YWRtaW46YWRtaW4=', 'Bearer', 'Bearer a b', 'admin', `Bearer ${'a'.repeat(5000)}`])(
    'answers 401 to the credentials %#',
    async (authorization) => {
      const { ask } = await serve();
      const answer = await ask('GET', '/v1/jobs', { headers: { authorization } });
      expect(answer.status).toBe(401);
      expect(answer.problem().code).toBe('unauthenticated');
    },
  );

  const JOB = '00000000-0000-7000-8000-00000000000a' as JobId;
  const ownJob = new Set(routes.filter(({ own }) => own === 'job'));
  const made = new Set(routes.filter(({ own }) => own === 'new'));

  async function serveJob() {
    const core = new FakeCore();
    core.tokensByText.set('job', { principal: jobPrincipal({ id: JOB, attempt: 1 }), scopes: JOB_SCOPES });
    return await serve(core);
  }

  it.each(
    routes
      .filter(({ scope }) => scope !== 'public' && scope !== 'anyToken')
      .map((route) => [`${route.method} ${route.path}`, route] as const),
  )('%s answers a job as far as it is about the job itself', async (_name, route) => {
    const { ask } = await serveJob();
    const headers = { authorization: 'Bearer job' };
    const other = await ask(route.method, route.path.replace(':id', GROUP).replace(':hash', 'a'.repeat(64)), {
      headers,
    });
    expect(other.status === 403).toBe(!made.has(route));
    const own = await ask(route.method, route.path.replace(':id', JOB).replace(':hash', 'a'.repeat(64)), { headers });
    expect(own.status === 403).toBe(!made.has(route) && !ownJob.has(route));
  });

  it('lets a job list its own children only', async () => {
    const { core, ask } = await serveJob();
    const headers = { authorization: 'Bearer job' };
    expect((await ask('GET', `/v1/jobs?parent=${JOB}`, { headers })).status).toBe(200);
    for (const query of ['', `?parent=${GROUP}`, `?group=${GROUP}`, '?name=x']) {
      expect((await ask('GET', `/v1/jobs${query}`, { headers })).problem()).toMatchObject({ status: 403 });
    }
    const asked = core.calls.filter(({ method }) => method === 'checkOwn').map((call) => call.arguments[1]);
    expect(asked).toContainEqual({ kind: 'jobsOfGroup', id: GROUP });
  });

  it('asks for a token before it reads the body', async () => {
    const { ask } = await serveClosed();
    expect((await ask('POST', '/v1/jobs', { json: { command: 'wrong' } })).status).toBe(401);
  });

  it('never takes requests without a token on an address that is not loopback', async () => {
    const { ask, port } = await serve(new FakeCore(), { address: { host: '0.0.0.0', port: 0 } });
    const headers = { host: `127.0.0.1:${port}` };
    expect((await ask('GET', '/v1/jobs', { headers })).status).toBe(401);
    expect((await ask('GET', '/v1/jobs', { headers: { ...headers, authorization: 'Bearer admin' } })).status).toBe(200);
  });

  it('refuses to start open on an address that is not loopback', async () => {
    const started = serve(new FakeCore(), { address: { host: '0.0.0.0', port: 0 }, auth: 'loopbackOpen' });
    await expect(started).rejects.toThrow(/loopback only/);
  });

  it('starts open on loopback', async () => {
    const { ask } = await serve(new FakeCore(), { auth: 'loopbackOpen' });
    expect((await ask('GET', '/v1/jobs')).status).toBe(200);
  });

  it('writes no token to the log, whatever becomes of the request', async () => {
    const { ask, core, logged } = await serve();
    core.addToken('CANARY-TOKEN', ['jobs:read']);
    core.jobs = async () => {
      throw new Error('broken');
    };
    const headers = { authorization: 'Bearer CANARY-TOKEN' };
    await ask('GET', '/v1/jobs', { headers });
    await ask('GET', '/v1/tokens', { headers });
    await ask('GET', '/v1/nothing', { headers });
    expect(logged()).toContain('request failed');
    expect(logged()).toContain('request refused');
    expect(logged()).not.toContain('CANARY');
  });
});

describe('the guard against other sites', async () => {
  const unsafe = (await table()).filter(({ method }) => method !== 'GET' && method !== 'HEAD');

  it.each(unsafe.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s answers 403 to a forged Host or Origin, with a token that may do everything',
    async (_name, route) => {
      const { ask, core } = await serve();
      for (const forged of [{ host: 'evil.example' }, { origin: 'https://evil.example' }]) {
        const headers = { authorization: 'Bearer admin', ...forged };
        expect((await ask(route.method, pathOf(route), { headers })).status).toBe(403);
      }
      expect(core.calls).toEqual([]);
    },
  );

  it.each(['evil.example', 'evil.example:8750', 'localhost', 'localhost:1', '127.0.0.1.evil.example:8750'])(
    'answers 403 to the Host %j, reading or writing',
    async (host) => {
      const { ask } = await serve();
      for (const method of ['GET', 'POST', 'DELETE']) {
        const path = method === 'DELETE' ? '/v1/tokens/some' : '/v1/jobs';
        const answer = await ask(method, path, { headers: { host } });
        expect(answer.status).toBe(403);
        expect(answer.problem()).toMatchObject({ code: 'forbidden', field: 'Host' });
      }
    },
  );

  it.each(['/v1/jobs', '/healthz', '/nowhere'])('refuses a request for %s with two Hosts', async (path) => {
    const { port } = await serve();
    const socket = connect(port, '127.0.0.1');
    socket.end(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nhOst: evil\r\nConnection: close\r\n\r\n`);
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400 [^]*"code":"invalidRequest"[^]*more than one Host/);
  });

  it('checks the Host of health and unknown paths too', async () => {
    const { ask } = await serve();
    expect((await ask('GET', '/healthz', { headers: { host: 'evil.example' } })).status).toBe(403);
    expect((await ask('GET', '/nothing', { headers: { host: 'evil.example' } })).status).toBe(403);
  });

  it.each(['localhost', '127.0.0.1', '[::1]', 'LOCALHOST'])('takes the Host %s with the bound port', async (name) => {
    const { ask, port } = await serve();
    expect((await ask('GET', '/healthz', { headers: { host: `${name}:${port}` } })).status).toBe(200);
  });

  it('takes configured names with any port, and those with a port as they are', async () => {
    const { ask } = await serve(new FakeCore(), { allowedHosts: ['jobs.example', 'other.example:9000'] });
    const statusOf = async (host: string) => (await ask('GET', '/healthz', { headers: { host } })).status;
    expect(await statusOf('jobs.example')).toBe(200);
    expect(await statusOf('jobs.example:443')).toBe(200);
    expect(await statusOf('other.example:9000')).toBe(200);
    expect(await statusOf('other.example')).toBe(403);
    expect(await statusOf('other.example:9001')).toBe(403);
  });

  it('takes any address, but no name, when bound to all addresses', async () => {
    const { ask, port } = await serve(new FakeCore(), { address: { host: '0.0.0.0', port: 0 } });
    const statusOf = async (host: string) => (await ask('GET', '/healthz', { headers: { host } })).status;
    expect(await statusOf(`192.0.2.7:${port}`)).toBe(200);
    expect(await statusOf(`[2001:db8::1]:${port}`)).toBe(200);
    expect(await statusOf(`evil.example:${port}`)).toBe(403);
  });

  it.each([
    ['POST', '/v1/jobs'],
    ['POST', '/v1/jobs/batch'],
    ['PUT', `/v1/blobs/sha256/${'a'.repeat(64)}`],
    ['DELETE', '/v1/tokens/some'],
    ['PATCH', '/v1/jobs'],
  ])('answers 403 to %s %s from a page of another origin', async (method, path) => {
    const { ask, core } = await serve();
    for (const origin of ['https://evil.example', 'null', 'http://localhost:1', 'http://127.0.0.1', 'file://']) {
      const answer = await ask(method, path, { headers: { origin } });
      expect(answer.status).toBe(403);
      expect(answer.problem()).toMatchObject({ code: 'forbidden', field: 'Origin' });
    }
    expect(core.calls).toEqual([]);
  });

  it('answers 403 to a form that another site posts, although the body would do', async () => {
    const { ask, core } = await serve();
    const body = '{"command":["echo","hi"]}';
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const site of ['cross-site', 'same-site']) {
      const answer = await ask('POST', '/v1/jobs', { body, headers: { ...form, 'sec-fetch-site': site } });
      expect(answer.problem()).toMatchObject({ status: 403, field: 'Sec-Fetch-Site' });
    }
    const named = await ask('POST', '/v1/jobs', { body, headers: { ...form, origin: 'https://evil.example' } });
    expect(named.status).toBe(403);
    expect(core.called('submit')).toEqual([]);
  });

  it('takes writes from a page of its own origin', async () => {
    const { ask, port } = await serve();
    const headers = { origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' };
    expect((await ask('POST', '/v1/jobs', { json: { command: ['true'] }, headers })).status).toBe(201);
  });
});

describe('headers of every answer', () => {
  it.each([
    ['GET', '/healthz', 200],
    ['GET', '/v1/jobs', 200],
    ['GET', '/v1/jobs/00000000-0000-7000-8000-0000000000ff', 404],
    ['GET', '/nothing', 404],
    ['POST', '/v1/jobs', 400],
  ])('%s %s tells browsers to keep, sniff and run nothing', async (method, path, status) => {
    const { ask } = await serve();
    const answer = await ask(method, path, method === 'POST' ? { json: {} } : {});
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'quorate-index': '42',
    });
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });
});
