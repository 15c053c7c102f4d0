import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { QueuedJob } from '../../../src/jobs/job.ts';
import { submitJob } from '../../../src/jobs/lifecycle.ts';
import { planOf } from '../../../src/jobs/plan.ts';
import { JobQueue } from '../../../src/scheduling/queue-order.ts';
import { HeadsInOrder } from '../../../src/scheduling/heads-in-order.ts';
import { Lane } from '../../../src/scheduling/lane.ts';
import { SortedRun } from '../../../src/scheduling/sorted-run.ts';
import { jobId, START } from '../builders.ts';

function queued(sequence: number, priority: number, cpu = 1, queue = 'default', project = 'default'): QueuedJob {
  const spec = { command: ['x'], priority, queue, project, resources: { cpu } };
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

function inOrder(lane: Lane): number[] {
  const heads = new HeadsInOrder(lane.classes.values());
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

describe('Lane', () => {
  it('gives the higher priority first, then the older submission, across classes', () => {
    const job = fc.tuple(fc.constantFrom(0, 10, 50, 100), fc.constantFrom(1, 2, 3));
    const jobs = fc.array(job, { maxLength: 60 });
    fc.assert(
      fc.property(jobs, fc.func(fc.boolean()), fc.func(fc.nat()), (made, isRemoved, shuffle) => {
        const lane = new Lane({ queue: 'default', project: 'default' }, 1);
        const all = made.map(([priority, cpu], sequence) => queued(sequence, priority, cpu));
        for (const one of all.toSorted((a, b) => shuffle(a.sequence) - shuffle(b.sequence))) lane.add(one);
        for (const one of all) if (isRemoved(one.sequence)) lane.remove(one);
        const left = all.filter((one) => !isRemoved(one.sequence));
        const wanted = left.toSorted((a, b) => b.plan.priority - a.plan.priority || a.sequence - b.sequence);
        expect(inOrder(lane)).toEqual(wanted.map(({ sequence }) => sequence));
      }),
    );
  });
});

describe('JobQueue', () => {
  it('counts by queue and project, and knows the highest priority of each queue', () => {
    const job = fc.tuple(fc.constantFrom(0, 10, 50, 100), fc.constantFrom('a', 'b'), fc.constantFrom('p', 'q'));
    const jobs = fc.array(job, { maxLength: 60 });
    fc.assert(
      fc.property(jobs, fc.func(fc.boolean()), (made, isRemoved) => {
        const queue = new JobQueue();
        const all = made.map(([priority, name, project], sequence) => queued(sequence, priority, 1, name, project));
        for (const one of all) queue.add(one);
        for (const one of all) if (isRemoved(one.sequence)) queue.remove(one);
        const left = all.filter((one) => !isRemoved(one.sequence));
        const byQueue = Map.groupBy(left, ({ plan }) => plan.queue);
        expect([...queue.queues.keys()].toSorted()).toEqual([...byQueue.keys()].toSorted());
        for (const [name, own] of byQueue) {
          const { size, highestPriority } = queue.queues.get(name)!;
          expect(size).toBe(own.length);
          expect(highestPriority).toBe(Math.max(...own.map(({ plan }) => plan.priority)));
          for (const project of ['p', 'q']) {
            expect(queue.sizeOfLane(name, project)).toBe(own.filter(({ plan }) => plan.project === project).length);
          }
        }
        expect(queue.size).toBe(left.length);
        expect(queue.oldest(1_000)).toBe(left[0] ?? null);
      }),
    );
  });

  it('tells what surely comes before a job: the higher priority anywhere, and the older of its queue and project', () => {
    const queue = new JobQueue();
    const last = queued(5, 50, 2, 'a');
    const all = [queued(1, 50, 1, 'b'), queued(2, 60, 1, 'b'), queued(3, 50, 1, 'a'), queued(4, 50, 1, 'a', 'p'), last];
    for (const one of all) queue.add(one);
    expect(queue.ahead(last)).toBe(2);
  });

  it('looks at no more candidates for the oldest than it was told to, and at one of those that ask for the same', () => {
    const queue = new JobQueue();
    const all = [queued(3, 50, 1), queued(4, 50, 1), queued(2, 10, 1), queued(1, 50, 2)];
    for (const one of all) queue.add(one);
    const found = [1, 2, 3].map((candidates) => queue.oldest(candidates)?.sequence);
    expect(found).toEqual([3, 2, 1]);
  });

  it('refuses to lose track: removing what is not there is a bug', () => {
    expect(() => new JobQueue().remove(queued(1, 50))).toThrow(/is in the queue/);
  });
});
