import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { CreatedToken } from '../../src/api/views.ts';
import { runQuorate } from '../support/command-line.ts';
import { expectStatus } from '../support/node-api.ts';
import { NodeProcess } from '../support/node-process.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

const ANY_PORT = ['--http', '127.0.0.1:0', '--p2p', '127.0.0.1:0', '--grpc', '127.0.0.1:0'];

describe('a backup of a running cluster', () => {
  const cluster = useCluster({ size: 2 });
  const restored: NodeProcess[] = [];

  afterEach(() => restored.forEach((node) => node.destroy()));

  it('becomes a new cluster of one with all jobs; what ran is lost and tried again as its retry says', async () => {
    const [first, other] = [cluster().node(0), cluster().node(1)];
    const done = await first.api.submit({ command: ['true'], name: 'done' });
    await first.api.waitFinal(done.id);
    const again = await first.api.submit({ command: ['sleep', '600'], name: 'again' });
    const once = await first.api.submit({ command: ['sleep', '600'], name: 'once', retry: 'never' });
    await waitUntil('both to run', async () => {
      const jobs = await Promise.all([again, once].map(({ id }) => first.api.job(id)));
      return jobs.every(({ state }) => state === 'running') ? true : null;
    });
    const nightly = { name: 'nightly', cron: '0 2 * * *', timeZone: 'Asia/Tokyo', spec: { command: ['true'] } };
    expectStatus(await other.api.http.post('/v1/schedules', nightly), 201);
    const file = join(cluster().folder, 'quorate.backup');
    const made = await quorate(other, ['backup', file, '--json']);
    expect(made.code, made.stderr).toBe(0);
    expect(JSON.parse(made.stdout)).toMatchObject({ file, records: expect.any(Number) });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const late = await first.api.submit({ command: ['true'], name: 'after the backup' });
    expect(await quorate(other, ['backup', file])).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/conflict/),
    });

    const node = new NodeProcess({ name: 'restored', folder: join(cluster().folder, 'restored') });
    restored.push(node);
    const restore = await runQuorate(['restore', file, '--data', node.dataDir, '--json']);
    expect(restore.code, restore.stderr).toBe(0);
    const { clusterId, nodeId } = JSON.parse(restore.stdout) as { clusterId: string; nodeId: string };
    node.token = await cluster().adminToken();
    await node.start('up', ANY_PORT);

    const view = await node.api.cluster();
    expect(view).toMatchObject({ clusterId, members: [{ id: nodeId, role: 'voter' }] });
    expect(clusterId).not.toBe((await first.api.cluster()).clusterId);
    const jobs = new Map((await node.api.jobs('limit=50')).items.map((job) => [job.id, job]));
    expect(jobs.get(done.id)?.state).toBe('succeeded');
    expect(jobs.get(again.id)?.attempts[0]).toMatchObject({ attempt: 1, state: 'lost' });
    expect(jobs.get(once.id)).toMatchObject({ state: 'lost' });
    expect(jobs.has(late.id)).toBe(false);
    const schedule = expectStatus(await node.api.http.get('/v1/schedules/nightly'), 200).json();
    expect(schedule).toMatchObject({ ...nightly, state: 'active', next: expect.arrayContaining([expect.any(String)]) });
    await waitUntil('the job that ran to run here', async () => {
      const job = await node.api.job(again.id);
      return job.state === 'running' && job.attempts[1]?.runner === nodeId ? true : null;
    });
    expect((await node.api.runners()).map(({ id }) => id)).toEqual([nodeId]);
    expect((await first.api.job(again.id)).attempts).toHaveLength(1);
  });

  it('is refused when one byte of it is another, and leaves no folder behind', async () => {
    const file = join(cluster().folder, 'other.backup');
    expect((await quorate(cluster().node(0), ['backup', file])).code).toBe(0);
    const bytes = await readFile(file);
    for (const at of [0, 20, Math.floor(bytes.length / 2), bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await writeFile(file, changed);
      const restore = await runQuorate(['restore', file, '--data', join(cluster().folder, 'never')]);
      expect(restore).toMatchObject({ code: 1, stderr: expect.stringMatching(/\(corrupt\)/) });
    }
    expect((await readdir(cluster().folder)).filter((name) => name.startsWith('never'))).toEqual([]);
  });

  it('needs the scope admin', async () => {
    const answer = await cluster()
      .node(0)
      .api.http.post('/v1/tokens', {
        name: 'operator',
        scopes: ['cluster:write', 'jobs:read', 'tokens:write'],
      });
    const { token } = expectStatus(answer, 201).json<CreatedToken>();
    const api = await cluster().node(0).withToken(token);
    expectStatus(await api.http.get('/v1/cluster/backup'), 403);
  });

  async function quorate(node: NodeProcess, args: readonly string[]) {
    const { http } = await node.requireFile();
    return runQuorate(args, {
      env: { QUORATE_URL: `http://${http}`, QUORATE_TOKEN: await cluster().adminToken() },
    });
  }
});
