import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodeProcess } from '../support/node-process.ts';
import { makeTempFolder, type TempFolder } from '../support/temp-folder.ts';

describe('quorate dev', () => {
  let temp: TempFolder;
  let node: NodeProcess;

  beforeAll(async () => {
    temp = await makeTempFolder('dev');
    node = new NodeProcess({ name: 'dev', folder: join(temp.path, 'dev') });
    await node.start('dev', ['--http', '127.0.0.1:0', '--p2p', '127.0.0.1:0', '--grpc', '127.0.0.1:0']);
  });

  afterAll(async () => {
    node.destroy();
    await temp.remove();
  });

  it('runs a job posted by curl with no token, and the log reads what it wrote', async () => {
    const answer = await node.api.http.send('POST', '/v1/jobs', {
      body: '{"command":["echo","hi"]}',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(answer.status, answer.text).toBe(201);
    const { id } = answer.json<{ readonly id: string }>();

    const job = await node.api.waitFinal(id);
    expect(job).toMatchObject({ state: 'succeeded', exitCode: 0, signal: null });
    expect(await node.api.logs(id)).toBe('hi\n');
  });

  it('tells the exit code and both streams of a job that fails', async () => {
    const { id } = await node.api.submit({ command: ['sh', '-c', 'echo out; echo err >&2; exit 7'] });
    const job = await node.api.waitFinal(id);
    expect(job).toMatchObject({ state: 'failed', exitCode: 7 });
    expect(await node.api.logs(id, 'stream=stdout')).toBe('out\n');
    expect(await node.api.logs(id, 'stream=stderr')).toBe('err\n');
  });

  it.each([
    ['timeout', /ran longer than its timeout of 1000 ms/],
    ['idleTimeout', /wrote nothing for its idleTimeout of 1000 ms/],
  ])('ends a job at its %s, and says so', async (limit, reason) => {
    const { id } = await node.api.submit({ command: ['sleep', '600'], [limit]: '1s' });
    const job = await node.api.waitFinal(id);
    expect(job).toMatchObject({ state: 'timedOut', reason: expect.stringMatching(reason) });
  });

  it('cancels a running job', async () => {
    const { id } = await node.api.submit({ command: ['sleep', '600'] });
    await node.api.cancel(id);
    expect((await node.api.waitFinal(id)).state).toBe('cancelled');
  });

  it('answers health, readiness, metrics and its own description', async () => {
    expect((await node.api.http.get('/healthz')).status).toBe(200);
    expect((await node.api.readiness()).status).toBe(200);
    expect((await node.api.http.get('/metrics')).text).toMatch(/^quorate_/m);
    expect((await node.api.http.get('/openapi.json')).json<{ openapi: string }>().openapi).toMatch(/^3\.1/);
  });
});
