import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BatchLine, ExplanationView, GroupView, JobView } from '../../src/api/views.ts';
import { parseLines } from '../support/http-client.ts';
import { expectStatus, type NodeApi } from '../support/node-api.ts';
import { useCluster } from '../support/use-cluster.ts';

const cluster = useCluster({ size: 3 });

/** Each request goes to another node. */
function anyNode(): NodeApi {
  turn += 1;
  return cluster().node(turn % 3).api;
}
let turn = 0;

const small = { resources: { cpu: 0.1 } };

async function createGroup(request: object): Promise<GroupView> {
  return expectStatus(await anyNode().http.post('/v1/groups', request), 201).json<GroupView>();
}

async function finished(id: string): Promise<GroupView> {
  for (;;) {
    const group = expectStatus(await anyNode().http.get(`/v1/groups/${id}/wait?timeout=30s`), 200).json<GroupView>();
    if (group.state === 'finished') return group;
  }
}

describe('jobs that depend on each other', () => {
  it('run in their order, whichever nodes they were posted to', async () => {
    const first = await anyNode().submit({ command: ['sh', '-c', 'sleep 0.3; echo one'], ...small });
    const second = await anyNode().submit({ command: ['true'], dependsOn: [{ job: first.id }], ...small });
    const third = await anyNode().submit({ command: ['true'], dependsOn: [{ job: second.id }], ...small });
    const ends = await Promise.all([first, second, third].map(({ id }) => anyNode().waitFinal(id)));
    expect(ends.map(({ state }) => state)).toEqual(['succeeded', 'succeeded', 'succeeded']);
    const starts = ends.map((job) => Date.parse(job.attempts[0]?.startedAt ?? ''));
    expect(starts[1]).toBeGreaterThanOrEqual(Date.parse(ends[0]?.attempts[0]?.endedAt ?? ''));
    expect(starts[2]).toBeGreaterThanOrEqual(Date.parse(ends[1]?.attempts[0]?.endedAt ?? ''));
  });

  it('go by the end of a job that was final before, and are cancelled when it was another', async () => {
    const failed = await anyNode().submit({ command: ['false'], ...small });
    await anyNode().waitFinal(failed.id);
    const alarm = await anyNode().submit({
      command: ['true'],
      dependsOn: [{ job: failed.id, on: 'failed' }],
      ...small,
    });
    const deploy = await anyNode().submit({ command: ['true'], dependsOn: [{ job: failed.id }], ...small });
    expect((await anyNode().waitFinal(alarm.id)).state).toBe('succeeded');
    expect(await anyNode().waitFinal(deploy.id)).toMatchObject({ state: 'cancelled', attempts: [] });
    const unknown = await anyNode().http.post('/v1/jobs', {
      command: ['true'],
      dependsOn: [{ job: '00000000-0000-7000-8000-000000000000' }],
    });
    expect(unknown.status).toBe(422);
    expect(unknown.json<{ code: string }>().code).toBe('unknownDependency');
  });
});

describe('a batch that is sent again under its key', () => {
  it('is the same graph at whichever node, and its rest is taken where the first time was cut', async () => {
    const lines = Array.from({ length: 1_500 }, (_, n) => ({
      command: ['true'],
      ref: `line-${n}`,
      ...(n === 0 ? {} : { notBefore: '2099-01-01T00:00:00Z', dependsOn: [{ ref: `line-${n >> 1}` }] }),
      ...small,
    }));
    const send = async (node: NodeApi, part: readonly object[]) => {
      const headers = { 'idempotency-key': 'the-graph' };
      const answer = await node.http.postLines('/v1/jobs/batch', part, { headers });
      return parseLines<BatchLine>(expectStatus(answer, 200).text).map((line) =>
        'id' in line ? line.id : line.error.code,
      );
    };
    const [one, two, three] = cluster().nodes.map(({ api }) => api);
    const first = await send(one as NodeApi, lines.slice(0, 700));
    // The first job is final by then: it is known all the same.
    await anyNode().waitFinal(first[0] as string);
    const whole = await send(two as NodeApi, lines);
    expect(whole.slice(0, 700)).toEqual(first);
    expect(new Set(whole).size).toBe(lines.length);
    const again = await send(three as NodeApi, [...lines.slice(0, 1_400), { ...lines[1_400], name: 'another' }]);
    expect(again).toEqual([...whole.slice(0, 1_400), 'idempotencyConflict']);
    expect((await anyNode().job(whole[1_000] as string)).spec.dependsOn).toEqual([{ job: whole[500] }]);
    await Promise.all(whole.map((id) => anyNode().http.post(`/v1/jobs/${id}/cancel`, {})));
  });
});

describe('a group', () => {
  it('counts its jobs and is finished when it is closed and all have ended', async () => {
    const { id } = await createGroup({ name: 'all', maxRunning: 2 });
    const specs = Array.from({ length: 12 }, (_, n) => ({
      command: ['sh', '-c', `exit ${n % 4 === 0 ? 1 : 0}`],
      group: id,
      ...small,
    }));
    for (const line of await anyNode().submitBatch(specs)) expect(line).toHaveProperty('id');
    expectStatus(await anyNode().http.post(`/v1/groups/${id}/close`, {}), 200);
    const late = await anyNode().http.post(`/v1/groups/${id}/jobs`, { command: ['true'] });
    expect([late.status, late.json<{ code: string }>().code]).toEqual([409, 'groupClosed']);
    expect((await finished(id)).counts).toMatchObject({ succeeded: 9, failed: 3, queued: 0, waiting: 0 });
    expect((await anyNode().jobs(`group=${id}&limit=100`)).items).toHaveLength(12);
  });

  it('cancels the rest at the first failure if it was made so', async () => {
    const { id } = await createGroup({ failFast: true });
    const sleeping = Array.from({ length: 6 }, () => ({ command: ['sleep', '600'], group: id, ...small }));
    await anyNode().submitBatch([...sleeping, { command: ['false'], group: id, ...small }]);
    const group = await finished(id);
    expect(group.counts).toMatchObject({ failed: 1, cancelled: 6 });
    expect(group.cancelledBy).toMatch(/^the end of /);
  });
});

describe('jobs of one resource group', () => {
  it('run one after another on three machines, and tell whose turn it is', async () => {
    const spec = { command: ['sleep', '0.2'], resourceGroup: 'deploy', ...small };
    const jobs = await Promise.all(Array.from({ length: 4 }, () => anyNode().submit(spec)));
    const last = jobs
      .map(({ id }) => id)
      .toSorted()
      .at(-1);
    const told = expectStatus(await anyNode().http.get(`/v1/jobs/${last}/explain`), 200).json<ExplanationView>();
    expect(['waiting', 'queued', 'assigned', 'running', 'succeeded']).toContain(told.state);
    const ends = await Promise.all(jobs.map(({ id }) => anyNode().waitFinal(id)));
    const runs = ends.map(runOf).toSorted((a, b) => a.from - b.from);
    for (const [n, run] of runs.slice(1).entries()) expect(run.from).toBeGreaterThanOrEqual(runs[n]?.to ?? 0);
  });
});

describe('children', () => {
  it('are cancelled with their parent, on whichever machine they run', async () => {
    const parent = await anyNode().submit({ command: ['sleep', '600'], ...small });
    const child = { command: ['sleep', '600'], parent: parent.id, ...small };
    const children = await Promise.all(Array.from({ length: 6 }, () => anyNode().submit(child)));
    const grandchild = await anyNode().submit({ ...child, parent: children[0]?.id });
    await anyNode().cancel(parent.id);
    for (const { id } of [parent, ...children, grandchild]) {
      expect((await anyNode().waitFinal(id)).state).toBe('cancelled');
    }
  });
});

const QUORATE = join(import.meta.dirname, '../../scripts/quorate');

describe('a job that makes jobs', () => {
  it('fans out from a shell script with nothing but the command line, and waits for its children', async () => {
    const { id } = await createGroup({});
    const script = `
      set -e
      for n in $(seq 100); do echo '{"command":["sh","-c","test '$n' -ne 7"],"group":"${id}","resources":{"cpu":0.1}}'; done > specs
      ${QUORATE} batch specs > ids
      ${QUORATE} group close ${id} && exit 1 || true
      ${QUORATE} wait $(cat ids) > ends || true
      ${QUORATE} logs "$(head -1 ids)"
      grep -c succeeded ends`;
    const parent = await anyNode().submit({ command: ['sh', '-c', script], group: id, ...small });
    const end = await anyNode().waitFinal(parent.id);
    expect(await anyNode().logs(parent.id, 'stream=stdout')).toBe('99\n');
    expect(end.state).toBe('succeeded');
    const children = (await anyNode().jobs(`parent=${parent.id}&limit=200`)).items;
    expect(children).toHaveLength(100);
    expect(new Set(children.map(({ submittedBy }) => submittedBy))).toEqual(new Set([`job:${parent.id}`]));
  });

  it('finds its token worthless when it has ended, and never good for what is not its own', async () => {
    const other = await anyNode().submit({ command: ['true'], ...small });
    await anyNode().waitFinal(other.id);
    const script = `echo $QUORATE_TOKEN; ${QUORATE} status ${other.id}; ${QUORATE} runners; exit 0`;
    const job = await anyNode().submit({ command: ['sh', '-c', script], ...small });
    await anyNode().waitFinal(job.id);
    const token = (await anyNode().logs(job.id, 'stream=stdout')).trim();
    expect(token).toMatch(/^qjob_/);
    const errors = (await anyNode().logs(job.id, 'stream=stderr')).match(/\(forbidden\)/g);
    expect(errors).toHaveLength(2);
    const headers = { authorization: `Bearer ${token}` };
    for (const { api } of cluster().nodes) {
      expect((await api.http.post('/v1/jobs', { command: ['true'] }, { headers })).status).toBe(401);
    }
  });
});

function runOf(job: JobView): { readonly from: number; readonly to: number } {
  const attempt = job.attempts.at(-1);
  return { from: Date.parse(attempt?.startedAt ?? ''), to: Date.parse(attempt?.endedAt ?? '') };
}
