import { describe, expect, it } from 'vitest';
import type { Replica } from '../../../node/replica/replica.ts';
import { JobStore } from '../../../node/service/job-store.ts';
import type { StateStore } from '../../../node/storage/ports.ts';
import type { Job } from '../../../src/jobs/job.ts';
import { LIMITS } from '../../../src/limits.ts';
import { jobId } from '../../src/builders.ts';

/** Newest first, as the state's database tells them. */
function storeOf(newestFirst: readonly Job[]): JobStore {
  const store = {
    async *jobs(before: string | null) {
      yield* newestFirst.filter(({ id }) => before === null || id < before);
    },
  } as unknown as StateStore;
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

describe('JobStore', () => {
  it('ends a page where its jobs are large, and goes on behind them', async () => {
    const stdin = 'x'.repeat(LIMITS.specBytes);
    const jobs = Array.from({ length: 20 }, (_, position) => jobWith(20 - position, stdin));
    expect(await pagesOf(storeOf(jobs), 1000)).toEqual([16, 4]);
  });

  it('ends a page of small jobs at its limit', async () => {
    const jobs = Array.from({ length: 20 }, (_, position) => jobWith(20 - position, ''));
    expect(await pagesOf(storeOf(jobs), 8)).toEqual([8, 8, 4]);
  });
});
