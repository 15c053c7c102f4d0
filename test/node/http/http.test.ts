import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/limits.ts';
import { FakeCore } from './fake-core.ts';
import { serve } from './serving.ts';

async function sendRaw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return answer;
}

describe('paths outside the table', () => {
  it.each(['/', '/v1', '/v1/job', '/v1/jobs/a/b/c', '/V1/jobs'])('answers 404 to %s', async (path) => {
    const { ask } = await serve();
    const answer = await ask('GET', path);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.problem()).toMatchObject({ status: 404, code: 'notFound' });
  });

  it.each([
    ['DELETE', '/v1/jobs', 'GET, POST'],
    ['GET', '/v1/jobs/some/cancel', 'POST'],
    ['PATCH', '/v1/tokens/some', 'DELETE'],
    ['POST', `/v1/blobs/sha256/${'a'.repeat(64)}`, 'GET, HEAD, PUT'],
    ['OPTIONS', '/v1/jobs', 'GET, POST'],
  ])('answers 405 to %s %s and tells what is allowed', async (method, path, allow) => {
    const { ask } = await serve();
    const answer = await ask(method, path);
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe(allow);
    expect(answer.problem().code).toBe('methodNotAllowed');
  });

  it('answers 404 to a path with a part that no id is as long as', async () => {
    const { ask, logged } = await serve();
    const answer = await ask('GET', `/v1/jobs/${'a'.repeat(5000)}`);
    expect(answer.problem()).toMatchObject({ status: 404, code: 'notFound' });
    expect(logged()).not.toContain('request failed');
  });

  it('answers 400 to a path that cannot be decoded', async () => {
    const { ask } = await serve();
    const answer = await ask('GET', '/v1/jobs/%ff');
    expect(answer.status).toBe(400);
    expect(answer.problem().code).toBe('invalidRequest');
  });
});

describe('what is not HTTP', () => {
  it('is answered with a problem and closed', async () => {
    const { port } = await serve();
    const answer = await sendRaw(port, 'nonsense\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).toContain('"code":"badHttp"');
  });

  it('names the limit when the head is too large', async () => {
    const { port } = await serve();
    const answer = await sendRaw(port, `GET / HTTP/1.1\r\nhost: a\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain('"name":"httpHeaderBytes"');
  });

  it('is answered with nothing in the middle of another answer', async () => {
    const { port } = await serve();
    const head = `POST /v1/jobs/batch HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ntransfer-encoding: chunked\r\n\r\n`;
    const line = '{"command":["true"]}\n';
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += String(chunk);
      if (answer.includes('"id"')) socket.write('no chunk\r\n');
    });
    socket.on('error', () => undefined);
    socket.write(`${head}${line.length.toString(16)}\r\n${line}\r\n`);
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(answer).toContain('"id"');
    expect(answer).not.toContain('badHttp');
  });

  it('is answered with nothing while an answer to a whole request before it is under way', async () => {
    const core = new FakeCore();
    const release = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const list = core.jobs.bind(core);
    core.jobs = async (query, consistency) => {
      asked.resolve();
      await release.promise;
      return await list(query, consistency);
    };
    const { port } = await serve(core);
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => (answer += String(chunk)));
    socket.on('error', () => undefined);
    socket.write(`GET /v1/jobs HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`);
    await asked.promise;
    socket.write('nonsense\r\n\r\n');
    await once(socket, 'close');
    release.resolve();
    expect(answer).toBe('');
  });

  it('tells the code of a request without a Host', async () => {
    const { port } = await serve();
    const answer = await sendRaw(port, 'GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
    expect(answer).toContain('"code":"forbidden"');
  });

  it('gets no answer for the Host of nobody', async () => {
    const { port } = await serve();
    const answer = await sendRaw(port, 'GET /v1/jobs HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
  });
});

/** Many requests on few connections, so that the test needs few descriptors. */
const SOCKETS = 16;

describe('requests under way', () => {
  it('are bounded: one more is refused with the limit, health is still told', async () => {
    const core = new FakeCore();
    const release = Promise.withResolvers<void>();
    let waiting = 0;
    let state: 'held' | 'released' = 'held';
    const list = core.jobs.bind(core);
    core.jobs = async (query, consistency) => {
      waiting += 1;
      if (waiting === LIMITS.httpInflight + 1 && state === 'held') throw new Error('one too many came through');
      await release.promise;
      return await list(query, consistency);
    };
    const { ask, port, registry } = await serve(core);
    const get = `GET /v1/jobs HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n`;
    const pipelined = `${get}\r\n`.repeat(LIMITS.httpInflight / SOCKETS - 1) + `${get}connection: close\r\n\r\n`;
    const held = Array.from({ length: SOCKETS }, () => sendRaw(port, pipelined));
    while (waiting < LIMITS.httpInflight) await new Promise((resolve) => setTimeout(resolve, 10));

    const refused = await ask('GET', '/v1/jobs');
    expect(refused.problem()).toMatchObject({
      status: 429,
      code: 'tooManyRequests',
      limit: { name: 'httpInflight', value: LIMITS.httpInflight },
    });
    expect((await ask('GET', '/healthz')).status).toBe(200);
    expect(await registry.metrics()).toContain(`quorate_http_requests_in_flight ${LIMITS.httpInflight}`);

    state = 'released';
    release.resolve();
    const answers = (await Promise.all(held)).join('');
    expect(answers.match(/HTTP\/1.1 200 /g)).toHaveLength(LIMITS.httpInflight);
    expect((await ask('GET', '/v1/jobs')).status).toBe(200);
  }, 60_000);
});

describe('starting', () => {
  it('tells which address is in use', async () => {
    const { port } = await serve();
    await expect(serve(new FakeCore(), { address: { host: '127.0.0.1', port } })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`127.0.0.1:${port}`) as string,
    });
  });

  it('tells that a name is not known', async () => {
    const address = { host: 'no-such-name.invalid', port: 0 };
    await expect(serve(new FakeCore(), { address })).rejects.toMatchObject({
      code: 'invalidRequest',
      message: expect.stringContaining('no-such-name.invalid') as string,
    });
  });

  it('tells the port that it picked', async () => {
    const { server } = await serve();
    expect(server.address.host).toBe('127.0.0.1');
    expect(server.address.port).toBeGreaterThan(0);
  });
});
