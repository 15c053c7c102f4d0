import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { QueuedJob } from '../../../src/jobs/job.ts';
import { submitJob } from '../../../src/jobs/lifecycle.ts';
import { planOf } from '../../../src/jobs/plan.ts';
import { JobQueue } from '../../../src/scheduling/queue-order.ts';
import { HeadsInOrder } from '../../../src/scheduling/heads-in-order.ts';
import { SortedRun } from '../../../src/scheduling/sorted-run.ts';
import { jobId, START } from '../builders.ts';

function queued(sequence: number, priority: number, cpu = 1, queue = 'default'): QueuedJob {
  const spec = { command: ['x'], priority, queue, resources: { cpu } };
  const submission = {
    id: jobId(sequence),
    spec,
    plan: planOf(spec),
    submittedBy: 'x',
    sequence,
    depth: 0,
    missing: [],
  };
  return submitJob(submission, { at: START, index: 1 }) as QueuedJob;
}

function inOrder(queue: JobQueue): number[] {
  const heads = new HeadsInOrder(queue.classes.values());
  const order: number[] = [];
  for (let head = heads.next(); head !== null; head = heads.next()) {
    order.push(head.job.sequence);
    heads.advance(head);
  }
  return order;
}

describe('SortedRun', () => {
  it('holds what a sorted list holds, whatever is inserted and removed, across many chunks', () => {
    const key = fc.integer({ min: 0, max: 5_000 });
    fc.assert(
      fc.property(fc.array(key, { size: 'max', maxLength: 3_000 }), (keys) => {
        const run = new SortedRun<string>();
        const model = new Set<number>();
        for (const [i, next] of keys.entries()) {
          if (model.has(next)) expect(run.delete(next)).toBe(model.delete(next));
          else {
            run.insert(next, `v${next}`);
            model.add(next);
          }
          if (i % 50 === 0) expect(run.rank(next)).toBe([...model].filter((other) => other < next).length);
        }
        const sorted = [...model].toSorted((a, b) => a - b);
        expect([...run.values()]).toEqual(sorted.map((value) => `v${value}`));
        expect(run.size).toBe(sorted.length);
        expect(run.firstKey()).toBe(sorted[0]);
        expect(run.delete(-1)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  it('samples from everywhere', () => {
    const run = new SortedRun<number>();
    for (let key = 0; key < 2_000; key += 1) run.insert(key, key);
    expect(run.sample(0)).toBe(0);
    expect(run.sample(0.999999)).toBe(1999);
    expect(new SortedRun().sample(0.5)).toBeUndefined();
  });
});

describe('JobQueue', () => {
  it('gives the higher priority first, then the older submission, across classes', () => {
    const job = fc.tuple(fc.constantFrom(0, 10, 50, 100), fc.constantFrom(1, 2, 3));
    const jobs = fc.array(job, { maxLength: 60 });
    fc.assert(
      fc.property(jobs, fc.func(fc.boolean()), fc.func(fc.nat()), (made, isRemoved, shuffle) => {
        const queue = new JobQueue();
        const all = made.map(([priority, cpu], sequence) => queued(sequence, priority, cpu));
        for (const one of all.toSorted((a, b) => shuffle(a.sequence) - shuffle(b.sequence))) queue.add(one);
        for (const one of all) if (isRemoved(one.sequence)) queue.remove(one);
        const left = all.filter((one) => !isRemoved(one.sequence));
        const wanted = left.toSorted((a, b) => b.plan.priority - a.plan.priority || a.sequence - b.sequence);
        expect(inOrder(queue)).toEqual(wanted.map(({ sequence }) => sequence));
        for (const [ahead, one] of wanted.entries()) expect(queue.ahead(one)).toBe(ahead);
        expect(queue.highestPriority()).toBe(wanted[0]?.plan.priority ?? null);
        expect(queue.size).toBe(left.length);
      }),
    );
  });

  it('counts by queue, and forgets empty ones', () => {
    const queue = new JobQueue();
    const nightly = queued(1, 50, 1, 'nightly');
    queue.add(nightly);
    queue.add(queued(2, 50));
    expect([...queue.countsByQueue]).toEqual([
      ['nightly', 1],
      ['default', 1],
    ]);
    queue.remove(nightly);
    expect([...queue.countsByQueue]).toEqual([['default', 1]]);
  });

  it('refuses to lose track: removing what is not there is a bug', () => {
    expect(() => new JobQueue().remove(queued(1, 50))).toThrow(/is in the queue/);
  });
});
