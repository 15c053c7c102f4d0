import { writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ExplanationView, JobView } from '../../src/api/views.ts';
import { expectStatus } from '../support/node-api.ts';
import { isAlive, processesOf } from '../support/processes.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

const SIZE = 3;
const cluster = useCluster({ size: SIZE });
const api = () => cluster().node(0).api;

/** Runs until the file `go` is there, in a tree of processes that all carry the mark. */
function tree(mark: string, go: string): object {
  const loop = `until [ -e '${go}' ]; do sleep 0.05; done`;
  return { command: ['sh', '-c', `(${loop}) & (${loop}) & wait`], env: { MARK: mark } };
}

const aliveOf = (mark: string) => processesOf(mark).filter(isAlive);

async function waitRunning(id: string): Promise<JobView> {
  return waitUntil(`the job ${id} to run`, async () => {
    const job = await api().job(id);
    return job.state === 'running' ? job : null;
  });
}

/** Low jobs, one of which fills each machine, and their marks. */
async function fill(
  name: string,
  rest: object = {},
): Promise<{ readonly go: string; readonly low: readonly JobView[] }> {
  const go = `${cluster().folder}/${name}-go`;
  const low: JobView[] = [];
  for (let n = 0; n < SIZE; n += 1) {
    low.push(
      await api().submit({
        ...tree(markOf(name, n), go),
        ...(await whole()),
        queue: 'batch',
        priority: 10,
        ...rest,
      }),
    );
  }
  for (const [n, { id }] of low.entries()) {
    await waitRunning(id);
    await waitUntil('its processes', () => Promise.resolve(aliveOf(markOf(name, n)).length >= 3 ? true : null));
  }
  return { go, low };
}

function markOf(name: string, n: number): string {
  return `${cluster().folder}/${name}-low-${n}`;
}

/** What one machine has. */
async function whole(): Promise<object> {
  const [runner] = await api().runners();
  return { resources: { cpu: runner?.total.cpu } };
}

describe('a job that finds no room', () => {
  beforeAll(async () => {
    const answer = await api().http.send('PUT', '/v1/queues/batch', {
      body: JSON.stringify({ preemption: 'requeue' }),
    });
    expectStatus(answer, 200);
  });

  it('has one of lower priority stopped with all its processes, which runs again and succeeds', async () => {
    const { go, low } = await fill('first', { retry: { max: 0, lostMax: 0 } });
    const goHigh = `${cluster().folder}/first-go-high`;
    const high = await api().submit({ ...tree(`${cluster().folder}/high`, goHigh), ...(await whole()), priority: 90 });
    await waitRunning(high.id);

    const now = await Promise.all(low.map(({ id }) => api().job(id)));
    const stopped = now.findIndex(({ state }) => state === 'queued');
    const victim = now[stopped];
    expect(aliveOf(markOf('first', stopped))).toEqual([]);
    expect(victim?.attempts).toMatchObject([
      { state: 'preempted', reason: expect.stringContaining(high.id) as string },
    ]);
    expect(now.filter(({ state }) => state === 'running')).toHaveLength(SIZE - 1);
    const told = expectStatus(await api().http.get(`/v1/jobs/${victim?.id}/explain`), 200).json<ExplanationView>();
    expect(told).toMatchObject({ state: 'queued', preempted: { times: 1 } });

    await writeFile(goHigh, '');
    expect((await api().waitFinal(high.id)).state).toBe('succeeded');
    await waitRunning(victim?.id ?? '');
    await writeFile(go, '');
    for (const { id } of low) expect((await api().waitFinal(id)).state).toBe('succeeded');
    const again = await api().job(victim?.id ?? '');
    expect(again.attempts.map(({ state }) => state)).toEqual(['preempted', 'succeeded']);
  });

  it('gets its room also when the leader is killed and comes back meanwhile', async () => {
    const { go, low } = await fill('second');
    const high = await api().submit({ command: ['true'], ...(await whole()), priority: 90 });
    const leader = await cluster().leader();
    await leader.killNode();
    await cluster().restart(leader);
    expect((await api().waitFinal(high.id)).state).toBe('succeeded');
    await writeFile(go, '');
    const ends = await Promise.all(low.map(({ id }) => api().waitFinal(id)));
    for (const { state, attempts } of ends) {
      expect(state).toBe('succeeded');
      // A machine that is slow to bring its node back may lose an attempt too.
      for (const attempt of attempts.slice(0, -1)) expect(attempt.state).toMatch(/^(preempted|lost)$/);
    }
    expect(ends.flatMap(({ attempts }) => attempts).length).toBeGreaterThan(SIZE);
  });
});
