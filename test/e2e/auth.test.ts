import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { NodeProcess } from '../support/node-process.ts';
import { makeTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { useCluster } from '../support/use-cluster.ts';

const GUARDED = [
  ['GET', '/v1/jobs'],
  ['POST', '/v1/jobs'],
  ['POST', '/v1/jobs/batch'],
  ['GET', '/v1/jobs/018f0000-0000-7000-8000-000000000000'],
  ['GET', '/v1/jobs/018f0000-0000-7000-8000-000000000000/logs'],
  ['POST', '/v1/jobs/018f0000-0000-7000-8000-000000000000/cancel'],
  ['GET', '/v1/runners'],
  ['GET', '/v1/cluster'],
  ['GET', '/v1/tokens'],
  ['POST', '/v1/tokens'],
  ['GET', '/metrics'],
] as const;

describe('a node started with up', () => {
  const cluster = useCluster({ size: 1 });

  it.each(GUARDED)('refuses %s %s without a token', async (method, path) => {
    const anonymous = await cluster().node(0).withToken(null);
    const answer = await anonymous.http.send(method, path, { body: '{}' });
    expect(answer.status, answer.text).toBe(401);
    expect(answer.json<{ code: string }>().code).toBe('unauthenticated');
    anonymous.close();
  });

  it('refuses a token that it never gave', async () => {
    const admin = await cluster().adminToken();
    const forged = `${admin.slice(0, -1)}${admin.endsWith('a') ? 'b' : 'a'}`;
    const stranger = await cluster().node(0).withToken(forged);
    expect((await stranger.http.get('/v1/jobs')).status).toBe(401);
    stranger.close();
  });

  it('answers its health to anyone', async () => {
    const anonymous = await cluster().node(0).withToken(null);
    expect((await anonymous.http.get('/healthz')).status).toBe(200);
    expect((await anonymous.http.get('/readyz')).status).toBe(200);
    anonymous.close();
  });

  it('refuses a forged Host and a foreign Origin', async () => {
    const { http } = cluster().node(0).api;
    const spec = { command: ['true'] };
    expect((await http.post('/v1/jobs', spec, { headers: { host: 'evil.example' } })).status).toBe(403);
    expect((await http.post('/v1/jobs', spec, { headers: { origin: 'http://evil.example' } })).status).toBe(403);
  });

  it('keeps its tokens in files that only the owner reads', async () => {
    for (const name of ['admin.token', 'join.token']) {
      expect((await stat(join(cluster().node(0).dataDir, name))).mode & 0o777).toBe(0o600);
    }
  });
});

describe('quorate dev', () => {
  let temp: TempFolder | null = null;
  let node: NodeProcess | null = null;

  afterEach(async () => {
    node?.destroy();
    await temp?.remove();
  });

  it('refuses to listen without authentication on an address that others reach', async () => {
    temp = await makeTempFolder('open');
    node = new NodeProcess({ name: 'open', folder: join(temp.path, 'open') });
    await node.launch('dev', ['--http', '0.0.0.0:0', '--p2p', '127.0.0.1:0', '--grpc', '127.0.0.1:0']);
    const { code } = await node.ended();
    expect(code).not.toBe(0);
    expect(node.logTail()).toMatch(/\(forbidden\)/);
  });
});
