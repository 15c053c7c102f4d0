import { describe, expect, it } from 'vitest';
import type { JobFilter } from '../../../node/core.ts';
import type { Replica } from '../../../node/replica/replica.ts';
import { JobStore } from '../../../node/service/job-store.ts';
import type { JobsAmong, StateStore } from '../../../node/storage/ports.ts';
import type { Job } from '../../../src/jobs/job.ts';
import { LIMITS } from '../../../src/limits.ts';
import { cancel, groupId, I1, jobId, R1, started, submit, TestReplica } from '../../src/builders.ts';

/** Newest first, as the state's database tells them. */
function storeOf(newestFirst: readonly Job[]): JobStore {
  const store = {
    async *jobs(before: string | null) {
      yield* newestFirst.filter(({ id }) => before === null || id < before);
    },
  } as unknown as StateStore;
  return jobStore(store);
}

function jobStore(store: StateStore): JobStore {
  const applier = { read: <Answer>(query: (asked: StateStore) => Promise<Answer>) => query(store) };
  return new JobStore({ applier } as unknown as Replica);
}

function jobWith(n: number, stdin: string): Job {
  return { id: jobId(n), state: 'queued', spec: { command: ['cat'], stdin }, past: [] } as unknown as Job;
}

async function pagesOf(store: JobStore, limit: number): Promise<number[]> {
  const sizes: number[] = [];
  for (let cursor: string | null = null; ;) {
    const page = await store.list({ filter: {}, limit, cursor });
    sizes.push(page.jobs.length);
    if (page.nextCursor === null) return sizes;
    cursor = page.nextCursor;
  }
}

const ALL = { filter: {}, limit: 100, cursor: null };

describe('JobStore', () => {
  it('tells in a list what a job still waits for, which is not written at each step', async () => {
    const replica = TestReplica.withRunner();
    const dependsOn = [1, 2, 3, 4].map((n) => ({ job: jobId(n), on: 'finished' as const }));
    replica.local(submit(1), submit(2), submit(3), submit(4), submit(5, { spec: { dependsOn } }));
    const written = replica.disk.get(`job ${jobId(5)}`)?.value as Job;
    replica.local(cancel(1));
    const store = {
      async *jobs() {
        yield written;
      },
    } as unknown as StateStore;
    const applier = { read: <Answer>(query: (asked: StateStore) => Promise<Answer>) => query(store) };
    const list = await new JobStore({ applier, state: replica.state } as unknown as Replica).list(ALL);
    expect(list.jobs).toMatchObject([{ state: 'waiting', missing: [jobId(2), jobId(3), jobId(4)] }]);
  });

  it('ends a page where its jobs are large, and goes on behind them', async () => {
    const stdin = 'x'.repeat(LIMITS.specBytes);
    const jobs = Array.from({ length: 20 }, (_, position) => jobWith(20 - position, stdin));
    expect(await pagesOf(storeOf(jobs), 1000)).toEqual([16, 4]);
  });

  it.each([
    [{}, 'jobs'],
    [{ group: groupId(1), state: 'failed', project: 'p' }, `group ${groupId(1)}`],
    [{ parent: jobId(1), queue: 'q' }, `parent ${jobId(1)}`],
    [{ state: 'failed', project: 'p' }, 'finalState failed'],
    [{ state: 'queued', project: 'p' }, 'liveJobs'],
    [{ project: 'p', queue: 'q' }, 'project p'],
    [{ project: 'default', queue: 'q', name: 'n' }, 'queue q'],
    [{ project: 'default', queue: 'default' }, 'jobs'],
    [{ name: 'n', labels: { a: 'b' } }, 'jobs'],
  ] as const)('asks for as few as it can where the filter is %o', async (filter, asked) => {
    const seen: string[] = [];
    const told = async function* (what: string) {
      seen.push(what);
      yield* [];
    };
    const store = {
      jobs: () => told('jobs'),
      liveJobs: () => told('liveJobs'),
      jobsAmong: ({ by, value }: JobsAmong) => told(`${by} ${value}`),
    } as unknown as StateStore;
    expect(await jobStore(store).list({ filter, limit: 10, cursor: null })).toEqual({ jobs: [], nextCursor: null });
    expect(seen).toEqual([asked]);
  });

  it('finds those that run in the heap, newest first, and filters them as the others', async () => {
    const replica = TestReplica.withRunner();
    const placement = { runner: R1, incarnation: I1 };
    const resources = { cpu: 0.1 };
    for (const n of [3, 1, 5, 2, 4]) {
      replica.local(submit(n, { placement, spec: { resources, project: n === 4 ? 'other' : 'p' } }));
    }
    replica.system(started(1, 1), started(3, 1), started(4, 1), started(5, 1));
    const store = new JobStore({ state: replica.state } as unknown as Replica);
    const listed = async (filter: JobFilter, cursor: string | null, limit = 10) =>
      (await store.list({ filter, limit, cursor })).jobs.map(({ id }) => id);
    expect(await listed({ state: 'running' }, null)).toEqual([5, 4, 3, 1].map(jobId));
    expect(await listed({ state: 'assigned' }, null)).toEqual([jobId(2)]);
    expect(await listed({ state: 'running', project: 'p' }, null, 2)).toEqual([5, 3].map(jobId));
    expect(await listed({ state: 'running', project: 'p' }, jobId(3))).toEqual([jobId(1)]);
  });

  it('ends a page of small jobs at its limit', async () => {
    const jobs = Array.from({ length: 20 }, (_, position) => jobWith(20 - position, ''));
    expect(await pagesOf(storeOf(jobs), 8)).toEqual([8, 8, 4]);
  });
});
