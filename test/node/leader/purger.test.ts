import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Purger } from '../../../node/leader/purger.ts';
import type { StateStore } from '../../../node/storage/ports.ts';
import { Fault } from '../../../src/errors.ts';
import type { JobId } from '../../../src/ids.ts';
import { keptUntil } from '../../../src/jobs/retention.ts';
import { planOf } from '../../../src/jobs/plan.ts';
import type { FinalJob } from '../../../src/jobs/job.ts';
import type { Command } from '../../../src/state/commands.ts';
import { jobId } from '../../src/builders.ts';

const HOUR = 60 * 60 * 1000;

beforeEach(() => void vi.useFakeTimers());
const open: Purger[] = [];
afterEach(() => {
  for (const purger of open.splice(0)) purger.stop();
  vi.useRealTimers();
});

function final(n: number, retention: string): FinalJob {
  const spec = { command: ['true'], retention };
  return { id: jobId(n), state: 'failed', spec, plan: planOf(spec), finalAt: Date.now(), index: n } as FinalJob;
}

/** A leader whose database holds these jobs; what is proposed is applied at once. */
function setUp(options: { finalJobs?: number; batch?: number } = {}) {
  const jobs = new Map<JobId, FinalJob>();
  const proposed: number[][] = [];
  let refusals = 0;
  const store = {
    async firstToGo(limit: number) {
      const kept = [...jobs.values()].map((job) => ({ id: job.id, index: job.index, until: keptUntil(job) }));
      return kept.toSorted((a, b) => a.until - b.until).slice(0, limit);
    },
    countFinal: async () => jobs.size,
  } as unknown as StateStore;
  const propose = async (_: unknown, [command]: readonly Command[]) => {
    if (command?.kind !== 'purge') throw new Error('not what a purger proposes');
    if (refusals > 0) {
      refusals -= 1;
      throw new Fault('overloaded', 'too much');
    }
    proposed.push(command.jobs.map(({ index }) => index));
    for (const { job } of command.jobs) jobs.delete(job);
    purger.changed(command.jobs.map(({ job }) => ({ kind: 'purged', id: job }) as const));
    return [];
  };
  const applier = { read: async <Answer>(query: (asked: StateStore) => Promise<Answer>) => await query(store) };
  const purger = new Purger(
    { replica: { propose, applier }, logger: pino({ level: 'silent' }) },
    { finalJobs: 1000, batch: 10, ...options },
  );
  open.push(purger);
  return {
    purger,
    proposed,
    hold: (...held: FinalJob[]) => {
      for (const job of held) jobs.set(job.id, job);
    },
    end(job: FinalJob) {
      jobs.set(job.id, job);
      purger.changed([{ kind: 'job', job, before: 'running' }]);
    },
    refuse: (times: number) => (refusals = times),
  };
}

describe('Purger', () => {
  it('purges what it finds due when it begins to lead, in parts and in the order of time', async () => {
    const { purger, proposed, hold } = setUp({ batch: 2 });
    hold(final(1, '4s'), final(2, '2s'), final(3, '3s'), final(4, '2h'));
    vi.setSystemTime(Date.now() + 10_000);
    purger.start();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(proposed).toEqual([[2, 3], [1]]);
  });

  it('comes when the time of the next is over, also of one that ends while it waits', async () => {
    const { purger, proposed, hold, end } = setUp();
    hold(final(1, '50m'));
    purger.start();
    await vi.advanceTimersByTimeAsync(1_000);
    end(final(2, '10s'));
    await vi.advanceTimersByTimeAsync(9_900);
    expect(proposed).toEqual([]);
    await vi.advanceTimersByTimeAsync(400);
    expect(proposed).toEqual([[2]]);
    await vi.advanceTimersByTimeAsync(HOUR);
    expect(proposed).toEqual([[2], [1]]);
  });

  it('keeps so many, and lets those go first whose time would be over first', async () => {
    const { purger, proposed, hold, end } = setUp({ finalJobs: 3, batch: 2 });
    hold(...[1, 2, 3, 4, 5, 6, 7, 8].map((n) => final(n, `${n}d`)));
    purger.start();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(proposed).toEqual([[1, 2], [3, 4], [5]]);
    end(final(9, '9d'));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(proposed.slice(3)).toEqual([[6]]);
  });

  it('waits for times longer than a timer can', async () => {
    const { purger, proposed, hold } = setUp();
    hold(final(1, '40d'));
    purger.start();
    await vi.advanceTimersByTimeAsync(39 * 24 * HOUR);
    expect(proposed).toEqual([]);
    await vi.advanceTimersByTimeAsync(24 * HOUR + 1_000);
    expect(proposed).toEqual([[1]]);
  });

  it('tries again what the log did not take', async () => {
    const { purger, proposed, end, refuse } = setUp();
    purger.start();
    refuse(3);
    end(final(1, '1s'));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(proposed).toEqual([[1]]);
  });

  it('does nothing while it does not lead', async () => {
    const { purger, proposed, end } = setUp();
    purger.start();
    purger.stop();
    end(final(1, '1s'));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(proposed).toEqual([]);
    purger.start();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(proposed).toEqual([[1]]);
  });
});
