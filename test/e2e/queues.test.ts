import { describe, expect, it } from 'vitest';
import type { ExplanationView, JobView, Page, QueueView } from '../../src/api/views.ts';
import { expectStatus, type NodeApi } from '../support/node-api.ts';
import { useCluster } from '../support/use-cluster.ts';

const cluster = useCluster({ size: 3 });

/** Each request goes to another node. */
function anyNode(): NodeApi {
  turn += 1;
  return cluster().node(turn % 3).api;
}
let turn = 0;

const spec = { command: ['true'], queue: 'nightly', resources: { cpu: 0.1 } };

async function setQueue(request: object): Promise<QueueView> {
  return expectStatus(
    await anyNode().http.send('PUT', '/v1/queues/nightly', { body: JSON.stringify(request) }),
    200,
  ).json<QueueView>();
}

async function reasonsOf(id: string): Promise<readonly object[]> {
  const answer = expectStatus(await anyNode().http.get(`/v1/jobs/${id}/explain`), 200);
  return answer.json<Extract<ExplanationView, { state: 'queued' }>>().reasons;
}

describe('a queue', () => {
  it('is paused at one node, and starts its jobs once it is resumed at another', async () => {
    expect(await setQueue({ paused: true })).toMatchObject({ paused: true, weight: 1 });
    const job = await anyNode().submit(spec);
    expect(await reasonsOf(job.id)).toMatchObject([{ kind: 'paused', queue: 'nightly' }]);
    const page = expectStatus(await anyNode().http.get('/v1/queues'), 200).json<Page<QueueView>>();
    expect(page.items).toMatchObject([{ name: 'nightly', paused: true, queued: 1, running: 0 }]);
    await setQueue({ paused: false });
    expect((await anyNode().waitFinal(job.id)).state).toBe('succeeded');
  });

  it('runs no more at once than its limit, and all in the end', async () => {
    await setQueue({ limits: { running: 1 } });
    const long = await anyNode().submit({ ...spec, command: ['sleep', '1000'] });
    const jobs: JobView[] = [];
    for (let n = 0; n < 4; n += 1) jobs.push(await anyNode().submit(spec));
    expect(await reasonsOf(jobs[3]?.id ?? '')).toMatchObject([
      { kind: 'limit', of: 'queue', limit: 'running', wanted: 1, used: 1, most: 1 },
    ]);
    expectStatus(await anyNode().http.post(`/v1/jobs/${long.id}/cancel`, {}), 200);
    const ends = await Promise.all(jobs.map(({ id }) => anyNode().waitFinal(id)));
    const runs = ends.map(({ attempts: [only] }) => ({
      start: Date.parse(only?.startedAt ?? ''),
      end: Date.parse(only?.endedAt ?? ''),
    }));
    const inOrder = runs.toSorted((a, b) => a.start - b.start);
    for (const [i, { start }] of inOrder.entries()) {
      if (i > 0) expect(start).toBeGreaterThanOrEqual(inOrder[i - 1]?.end ?? Infinity);
    }
    expectStatus(await anyNode().http.send('DELETE', '/v1/queues/nightly', {}), 200);
  });
});
