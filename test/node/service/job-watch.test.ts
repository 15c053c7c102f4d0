import { describe, expect, it } from 'vitest';
import { JobWatch } from '../../../node/service/job-watch.ts';
import type { Job } from '../../../src/jobs/job.ts';

const job = (id: string, state: Job['state']): Job => ({ id, state }) as unknown as Job;
const change = (value: Job) => ({ kind: 'job' as const, job: value, before: null });
const never = new AbortController().signal;

describe('JobWatch', () => {
  it('gives what the first look finds without waiting', async () => {
    expect(await new JobWatch().until('a', never, () => 'found')).toBe('found');
  });

  it('looks again at each change of that job, and at no other', async () => {
    const watch = new JobWatch();
    const seen: (string | undefined)[] = [];
    const done = watch.until('a', never, (changed) => {
      seen.push(changed?.state);
      return changed?.state === 'succeeded' ? changed.state : undefined;
    });
    watch.changed([change(job('b', 'succeeded')), change(job('a', 'running'))]);
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    watch.changed([change(job('a', 'succeeded'))]);
    expect(await done).toBe('succeeded');
    expect(seen).toEqual([undefined, 'running', 'succeeded']);
  });

  it('misses no change that comes while it looks', async () => {
    const watch = new JobWatch();
    const done = watch.until('a', never, async (changed) => {
      if (changed === null) {
        watch.changed([change(job('a', 'failed'))]);
        await new Promise((resolve) => setImmediate(resolve));
        return undefined;
      }
      return changed.state;
    });
    expect(await done).toBe('failed');
  });

  it('ends with null when the reader leaves', async () => {
    const leaving = new AbortController();
    const done = new JobWatch().until('a', leaving.signal, () => undefined);
    leaving.abort();
    expect(await done).toBeNull();
  });

  it('looks again when the state was replaced', async () => {
    const watch = new JobWatch();
    let looks = 0;
    const done = watch.until('a', never, () => {
      looks += 1;
      return looks === 2 ? 'second' : undefined;
    });
    await new Promise((resolve) => setImmediate(resolve));
    watch.restored();
    expect(await done).toBe('second');
  });
});
