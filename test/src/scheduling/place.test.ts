import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Incarnation, NodeId } from '../../../src/ids.ts';
import { planOf } from '../../../src/jobs/plan.ts';
import { placeOne, schedule } from '../../../src/scheduling/place.ts';
import type { Random } from '../../../src/scheduling/rank.ts';
import type { Command } from '../../../src/state/commands.ts';
import { amounts, assign, I1, jobId, R1, R2, register, submit, TestReplica } from '../builders.ts';

function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const runner = (n: number) => `runner-${n}` as NodeId;
const plan = (spec = {}) => planOf({ command: ['x'], ...spec });

const drain = (id: NodeId): Command => ({ kind: 'drainRunner', runner: id, mode: 'drain' });

function withRunners(count: number, cpuMilli = 4000): TestReplica {
  const replica = TestReplica.founded();
  const labels = (n: number) => ({ zone: n % 2 === 0 ? 'even' : 'odd' });
  replica.system(...Array.from({ length: count }, (_, n) => register(runner(n), I1, amounts({ cpuMilli }), labels(n))));
  return replica;
}

describe('placeOne', () => {
  it('spreads: takes the runner with the smallest part taken', () => {
    const replica = withRunners(3);
    replica.local(submit(1), submit(2));
    replica.system(assign(1, 1, runner(0)), assign(2, 1, runner(2)));
    for (let seed = 0; seed < 20; seed += 1) {
      expect(placeOne(replica.state, plan(), seeded(seed))).toEqual({ runner: runner(1), incarnation: I1 });
    }
  });

  it('takes equals by chance', () => {
    const replica = withRunners(3);
    const random = seeded(1);
    const chosen = new Set(Array.from({ length: 50 }, () => placeOne(replica.state, plan(), random)?.runner));
    expect(chosen.size).toBe(3);
  });

  it('weighs what the machines say of their load', () => {
    const load = (id: NodeId) => (id === runner(0) ? 0 : 0.9);
    expect(placeOne(withRunners(3).state, plan(), seeded(1), load)?.runner).toBe(runner(0));
  });

  it('gives way to what waits with the same or a higher priority', () => {
    const replica = withRunners(1);
    replica.local(submit(1, { spec: { resources: { gpu: 1 }, priority: 60 } }));
    expect(placeOne(replica.state, plan({ priority: 60 }), seeded(1))).toBe(null);
    expect(placeOne(replica.state, plan({ priority: 61 }), seeded(1))).not.toBe(null);
  });

  it.each([5, 100])('finds a runner of %i that meets the constraints and has room, or none', (count) => {
    const replica = withRunners(count, 1000);
    const odd = plan({ constraints: ['zone == odd'] });
    expect(replica.state.runners.get(placeOne(replica.state, odd, seeded(3))!.runner)?.labels).toEqual({ zone: 'odd' });
    expect(placeOne(replica.state, plan({ resources: { cpu: 2 } }), seeded(3))).toBe(null);
    expect(placeOne(replica.state, plan({ constraints: ['zone == none'] }), seeded(3))).toBe(null);
  });

  it.each([2, 100])('takes none of %i that drain or are lost', (count) => {
    const replica = withRunners(count);
    replica.local(...Array.from({ length: count - 1 }, (_, n) => drain(runner(n))));
    replica.system({ kind: 'loseRunner', runner: runner(count - 1), incarnation: I1 });
    expect(placeOne(replica.state, plan(), seeded(2))).toBe(null);
  });

  it('finds the last free runner of many', () => {
    const replica = withRunners(100, 1000);
    replica.local(...Array.from({ length: 99 }, (_, n) => submit(n)));
    replica.system(...Array.from({ length: 99 }, (_, n) => assign(n, 1, runner(n))));
    expect(placeOne(replica.state, plan(), seeded(5))?.runner).toBe(runner(99));
  });
});

describe('schedule', () => {
  const all = { limit: 1000, random: seeded(1) };
  const jobsOf = (commands: readonly { readonly job: string }[]) => commands.map(({ job }) => job);

  it('works through the queue in order, within what is free', () => {
    const replica = withRunners(1);
    replica.local(
      submit(1, { spec: { priority: 10 } }),
      submit(2),
      submit(3),
      submit(4),
      submit(5, { spec: { priority: 99 } }),
    );
    expect(jobsOf(schedule(replica.state, all))).toEqual([jobId(5), jobId(2), jobId(3), jobId(4)]);
  });

  it('lets smaller jobs pass one that does not fit', () => {
    const replica = withRunners(1);
    replica.local(
      submit(1, { spec: { resources: { cpu: 8 } } }),
      submit(2, { spec: { resources: { gpu: 1 } } }),
      submit(3),
    );
    expect(jobsOf(schedule(replica.state, all))).toEqual([jobId(3)]);
  });

  it('stops at its limit, with the first of the queue', () => {
    const replica = withRunners(2);
    replica.local(...[1, 2, 3, 4].map((n) => submit(n)));
    expect(jobsOf(schedule(replica.state, { ...all, limit: 2 }))).toEqual([jobId(1), jobId(2)]);
  });

  it('spreads over the runners', () => {
    const replica = withRunners(4);
    replica.local(...[1, 2, 3, 4].map((n) => submit(n)));
    expect(new Set(schedule(replica.state, all).map(({ placement }) => placement.runner)).size).toBe(4);
  });

  it('leaves lost and draining runners alone', () => {
    const replica = TestReplica.withRunner();
    replica.system(register(R2, 'i' as Incarnation), {
      kind: 'loseRunner',
      runner: R2,
      incarnation: 'i' as Incarnation,
    });
    replica.local({ kind: 'drainRunner', runner: R1, mode: 'drain' }, submit(1));
    expect(schedule(replica.state, all)).toEqual([]);
  });

  it('makes decisions that apply takes all, and stops only where nothing fits any more', () => {
    const spec = fc.record({
      priority: fc.constantFrom(10, 50),
      resources: fc.record({
        cpu: fc.constantFrom(0.5, 1, 2, 3),
        memory: fc.constantFrom(0, 2 ** 31),
        custom: fc.constantFrom<Record<string, number>>({}, { license: 1 }),
      }),
      constraints: fc.constantFrom<string[]>([], ['zone == even']),
    });
    const specs = fc.array(spec, { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(specs, fc.integer({ min: 1, max: 50 }), fc.nat(), (made, count, seed) => {
        const replica = withRunners(count, 2000);
        replica.system(register(runner(0), I1, amounts({ custom: { license: 2000 } }), { zone: 'even' }));
        replica.local(...made.map((one, n) => submit(n, { spec: one })));
        const random = seeded(seed);
        const commands = schedule(replica.state, { limit: 1000, random });
        expect(replica.system(...commands).every(({ ok }) => ok)).toBe(true);
        expect(schedule(replica.state, { limit: 1000, random })).toEqual([]);
        for (const job of replica.state.jobs.values()) {
          if (job.state !== 'queued') continue;
          for (const { record, free } of replica.state.allocationList) {
            const { demand, constraints } = job.plan;
            const isAllowed = constraints.length === 0 || record.labels['zone'] === 'even';
            const hasRoom =
              demand.cpuMilli <= free.cpuMilli &&
              demand.memoryBytes <= free.memoryBytes &&
              (demand.custom['license'] ?? 0) <= (free.custom['license'] ?? 0);
            expect(isAllowed && hasRoom).toBe(false);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('fills all of the few that meet a constraint among very many', () => {
    const replica = TestReplica.founded();
    const labels = (n: number) => ({ zone: n % 25 === 0 ? 'rare' : 'common' });
    const one = amounts({ cpuMilli: 1000 });
    replica.system(...Array.from({ length: 1000 }, (_, n) => register(runner(n), I1, one, labels(n))));
    replica.local(...Array.from({ length: 50 }, (_, n) => submit(n, { spec: { constraints: ['zone == rare'] } })));
    for (let seed = 1; seed <= 5; seed += 1) {
      expect(schedule(replica.state, { limit: 1000, random: seeded(seed) })).toHaveLength(40);
    }
  });

  it('is the same for the same state and seed', () => {
    const replica = withRunners(40);
    replica.local(...Array.from({ length: 100 }, (_, n) => submit(n)));
    const once = schedule(replica.state, { limit: 50, random: seeded(9) });
    expect(schedule(replica.state, { limit: 50, random: seeded(9) })).toEqual(once);
    expect(once).toHaveLength(50);
  });

  it('gives a job a chance that stands behind more kinds of hopeless ones than one call can look at', () => {
    const replica = withRunners(1);
    const hopeless = (n: number) => ({ resources: { cpu: 5 + n / 1000 } });
    const count = 41_000;
    for (let n = 0; n < count; n += 1000) {
      replica.local(...Array.from({ length: 1000 }, (_, i) => submit(n + i, { spec: hopeless(n + i) })));
    }
    replica.local(submit(count));
    const random = seeded(4);
    let calls = 0;
    const last = () => (calls++ % 2 === 0 ? 0.9999999 : random());
    expect(jobsOf(schedule(replica.state, { limit: 10, random: last }))).toEqual([jobId(count)]);
  });
});
