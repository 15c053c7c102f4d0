import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeId } from '../../../src/ids.ts';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import type { LiveJob } from '../../../src/jobs/job.ts';
import { followOn } from '../../../src/scheduling/follow-on.ts';
import { schedule } from '../../../src/scheduling/place.ts';
import { RESERVE_AFTER_MS, reserve } from '../../../src/scheduling/reservation.ts';
import { isLive } from '../../../src/state/state.ts';
import { amounts, assign, cancel, ended, I1, jobId, register, submit, TestReplica } from '../builders.ts';

const CPUS = 4;
const runner = (n: number) => `runner-${n}` as NodeId;
const ofSize = (cpu: number, rest: Partial<JobSpec> = {}) => ({ spec: { resources: { cpu }, ...rest } });

/** A cluster that is full of small jobs, with more of them waiting, and one big job behind these. */
class Crowd {
  readonly replica = TestReplica.founded();
  readonly big = 1_000_000;
  readonly #random: () => number;
  readonly #small: Partial<JobSpec>;
  #submitted = 0;

  constructor(runners: number, small: Partial<JobSpec>, random: () => number) {
    this.#random = random;
    this.#small = small;
    const total = amounts({ cpuMilli: 1000 * CPUS });
    this.replica.system(...Array.from({ length: runners }, (_, n) => register(runner(n), I1, total)));
    for (let n = 0; n < runners * CPUS + 3; n += 1) this.submitSmall();
    this.schedule();
  }

  submitSmall(): void {
    this.#submitted += 1;
    this.replica.local(submit(this.#submitted, ofSize(1, this.#small)));
  }

  schedule(): void {
    this.replica.system(...schedule(this.replica.state, { limit: 100, random: this.#random }));
  }

  running(): LiveJob[] {
    return [...this.replica.state.jobs.values()].filter(isLive);
  }

  /** A small job ends, the node that ran it proposes what comes next there, and another one is submitted. */
  endOne(job: LiveJob): void {
    const next = followOn(this.replica.state, job.current.runner, [job.id], { random: this.#random, ahead: 'none' });
    this.replica.system(ended(Number(job.id.slice(-12)), 1), ...next);
    this.submitSmall();
    this.schedule();
  }

  /** @returns after how many ends the big job had a runner; null: not within so many */
  endsUntilPlaced(most: number): number | null {
    for (let ends = 0; ends <= most; ends += 1) {
      if (this.replica.job(this.big).state === 'assigned') return ends;
      // Those that began first end first: each takes as long as any other.
      this.endOne(
        this.running().toSorted((a, b) => a.current.assignedAt - b.current.assignedAt || a.sequence - b.sequence)[0]!,
      );
      this.replica.at += 1;
    }
    return null;
  }
}

describe('a big job among a stream of small ones', () => {
  it('is passed by them while it has not waited for long', () => {
    const crowd = new Crowd(2, {}, () => 0.5);
    crowd.replica.local(submit(crowd.big, ofSize(CPUS)));
    expect(crowd.endsUntilPlaced(100)).toBe(null);
  });

  it('has a runner before all that ran when it had waited for long have ended', () => {
    const owners = fc.constantFrom<Partial<JobSpec>>({}, { project: 'other' }, { queue: 'other' }, { priority: 10 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom(2, 3, 4),
        owners,
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        (runners, cpu, small, draws) => {
          const crowd = new Crowd(runners, small, () => draws.next().value as number);
          crowd.replica.local(submit(crowd.big, ofSize(cpu)));
          crowd.replica.pass(RESERVE_AFTER_MS);
          const waiting = 3;
          expect(crowd.endsUntilPlaced(runners * CPUS + waiting)).not.toBe(null);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('is passed by those of higher priority all the same', () => {
    const crowd = new Crowd(1, { priority: 60 }, () => 0.5);
    crowd.replica.local(submit(crowd.big, ofSize(CPUS)));
    crowd.replica.pass(RESERVE_AFTER_MS);
    expect(crowd.endsUntilPlaced(50)).toBe(null);
  });

  it('keeps no runner when none could ever hold it', () => {
    const crowd = new Crowd(1, {}, () => 0.5);
    crowd.replica.local(submit(crowd.big, ofSize(CPUS + 1)));
    crowd.replica.pass(RESERVE_AFTER_MS);
    for (let i = 0; i < 20; i += 1) crowd.endOne(crowd.running()[0]!);
    expect(crowd.running()).toHaveLength(CPUS);
  });
});

describe('reserved runners', () => {
  /** Runners of four processors with one job each, on every second one of which such big jobs may run. */
  function cluster(runners: number, big: number, cpu: (n: number) => number = () => 4): TestReplica {
    const replica = TestReplica.founded();
    const labels = (n: number) => ({ zone: n % 2 === 0 ? 'a' : 'b' });
    replica.system(
      ...Array.from({ length: runners }, (_, n) => register(runner(n), I1, amounts({ cpuMilli: 4000 }), labels(n))),
    );
    replica.local(...Array.from({ length: runners }, (_, n) => submit(n)));
    replica.system(...Array.from({ length: runners }, (_, n) => assign(n, 1, runner(n))));
    replica.local(
      ...Array.from({ length: big }, (_, n) => submit(1000 + n, ofSize(cpu(n), { constraints: ['zone == a'] }))),
      submit(999, ofSize(1, { priority: 0, constraints: ['zone == none'] })),
    );
    replica.pass(RESERVE_AFTER_MS);
    return replica;
  }

  function reserved({ state }: TestReplica): NodeId[] {
    const lanes = [...state.queue.queues.values()].flatMap((queue) => [...queue.lanes.values()]);
    const near = lanes.map((lane) => ({ lane, turn: 'next' as const }));
    return reserve(state, near, 50, 512).map(({ allocation }) => allocation.record.id);
  }

  it('are one in eight of those that could hold the job, at the least one', () => {
    for (const [runners, count] of [
      [2, 1],
      [16, 1],
      [20, 2],
      [100, 7],
    ] as const) {
      const replica = cluster(runners, 50);
      expect(reserved(replica)).toHaveLength(count);
      for (const id of reserved(replica)) expect(replica.state.runners.get(id)?.labels).toEqual({ zone: 'a' });
    }
  });

  it('are kept from nobody where all ask for as much', () => {
    const replica = cluster(16, 3);
    replica.local(cancel(999));
    expect(reserved(replica)).toEqual([]);
  });

  it('are no more than the jobs that waited for long, and none before', () => {
    const replica = cluster(100, 3);
    replica.local(...Array.from({ length: 9 }, (_, n) => submit(2000 + n, ofSize(4))));
    expect(reserved(replica)).toHaveLength(3);
    expect(reserved(cluster(100, 0))).toEqual([]);
  });

  it('are shared between kinds of jobs, and together one in eight', () => {
    const kinds = (n: number) => 3.5 + (n % 2) / 10;
    expect(reserved(cluster(16, 10, kinds))).toHaveLength(1);
    expect(reserved(cluster(100, 50, kinds))).toHaveLength(7);
    expect(reserved(cluster(100, 3, kinds))).toHaveLength(3);
  });

  it('are those that lack the least: they stay while others come and go, and are the same at every replica', () => {
    const replica = cluster(40, 5);
    const before = reserved(replica);
    for (const job of replica.state.allocations.get(before[1]!)!.jobs) {
      replica.system(ended(Number(job.slice(-12)), 1));
    }
    const after = [before[1]!, ...before.filter((id) => id !== before[1])];
    expect(reserved(replica)).toEqual(after);
    replica.reload();
    replica.system(register(runner(100), I1, amounts({ cpuMilli: 2000 }), { zone: 'a' }));
    expect(reserved(replica)).toEqual(after);
    replica.local({ kind: 'drainRunner', runner: after[0]!, mode: 'drain' });
    expect(reserved(replica)).not.toContain(after[0]);
  });

  it('take what asks for as much, in its turn, and nothing that asks for less', () => {
    const replica = cluster(2, 1);
    replica.system(...[0, 1].map((n) => ended(n, 1)));
    replica.local(submit(2000, ofSize(4, { priority: 60 })), submit(2001, ofSize(2, { priority: 40 })));
    replica.local(submit(2002, ofSize(4, { priority: 40 })));
    replica.local({ kind: 'drainRunner', runner: runner(1), mode: 'drain' });
    const placed = () => schedule(replica.state, { limit: 10, random: () => 0.5 }).map(({ job }) => job);
    expect(placed()).toEqual([jobId(2000)]);
    replica.local(cancel(2000));
    expect(placed()).toEqual([jobId(1000)]);
    replica.system(assign(1000, 1, runner(0)));
    replica.system(ended(1000, 1));
    expect(placed()).toEqual([jobId(2001)]);
  });
});
