import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeId } from '../../../src/ids.ts';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import type { LiveJob, QueuedJob } from '../../../src/jobs/job.ts';
import { followOn } from '../../../src/scheduling/follow-on.ts';
import { schedule } from '../../../src/scheduling/place.ts';
import { mostReserved, RESERVE_AFTER_MS, reservedFor } from '../../../src/scheduling/reservation.ts';
import { isLive } from '../../../src/state/state.ts';
import { amounts, ended, I1, jobId, register, submit, TestReplica } from '../builders.ts';

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
  const waitingFor = (replica: TestReplica, n: number) => replica.state.jobs.get(jobId(n)) as QueuedJob;
  const chosenFor = (replica: TestReplica, n: number) => reservedFor(replica.state, waitingFor(replica, n))?.record.id;

  function cluster(runners: number, big: number): TestReplica {
    const replica = TestReplica.founded();
    const labels = (n: number) => ({ zone: n % 2 === 0 ? 'a' : 'b' });
    replica.system(
      ...Array.from({ length: runners }, (_, n) => register(runner(n), I1, amounts({ cpuMilli: 4000 }), labels(n))),
    );
    replica.local(...Array.from({ length: runners }, (_, n) => submit(n)));
    replica.system(...schedule(replica.state, { limit: 1000, random: () => 0.5 }));
    replica.local(
      ...Array.from({ length: big }, (_, n) => submit(1000 + n, ofSize(4, { constraints: ['zone == a'] }))),
    );
    replica.pass(RESERVE_AFTER_MS);
    return replica;
  }

  it('are the same at every replica, and stay while others come and go', () => {
    const replica = cluster(20, 5);
    const before = [0, 1, 2, 3, 4].map((n) => chosenFor(replica, 1000 + n));
    expect(new Set(before).size).toBeGreaterThan(1);
    for (const id of before) expect(replica.state.runners.get(id!)?.labels).toEqual({ zone: 'a' });
    replica.reload();
    replica.system(register(runner(100), I1, amounts({ cpuMilli: 2000 }), { zone: 'a' }));
    replica.local({ kind: 'drainRunner', runner: before[0]!, mode: 'drain' });
    for (const n of [0, 1, 2, 3, 4]) {
      if (before[n] === before[0]) expect(chosenFor(replica, 1000 + n)).not.toBe(before[0]);
      else expect(chosenFor(replica, 1000 + n)).toBe(before[n]);
    }
  });

  it('are few of many', () => {
    expect([1, 8, 9, 100].map(mostReserved)).toEqual([1, 1, 2, 4]);
    // Each of these asks for a little more than the one before: they are many classes.
    const replica = TestReplica.founded();
    replica.system(...Array.from({ length: 16 }, (_, n) => register(runner(n), I1)));
    replica.local(...Array.from({ length: 16 }, (_, n) => submit(n)));
    replica.system(...schedule(replica.state, { limit: 1000, random: () => 0.5 }));
    replica.local(...Array.from({ length: 10 }, (_, n) => submit(1000 + n, ofSize(3.5 + n / 100))));
    replica.pass(RESERVE_AFTER_MS);
    replica.local(...Array.from({ length: 64 }, (_, n) => submit(2000 + n)));
    const commands = schedule(replica.state, { limit: 1000, random: () => 0.5 });
    const used = new Set(commands.map(({ placement }) => placement.runner));
    expect(used.size).toBe(14);
    expect(commands).toHaveLength(14 * 3);
  });
});
