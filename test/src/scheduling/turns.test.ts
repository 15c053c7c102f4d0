import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import { schedule } from '../../../src/scheduling/place.ts';
import type { Random } from '../../../src/scheduling/rank.ts';
import type { Use } from '../../../src/scheduling/use.ts';
import { settingsOf } from '../../../src/state/state.ts';
import { amounts, ended, I1, jobId, R1, register, setQueue, submit, TestReplica } from '../builders.ts';

const random: Random = () => 0.5;
const GIB = 2 ** 30;

/** One machine of so many processors. */
function machine(processors: number): TestReplica {
  const replica = TestReplica.founded();
  replica.system(register(R1, I1, amounts({ cpuMilli: 1000 * processors, memoryBytes: 64 * GIB })));
  return replica;
}

/** Gives out what there is. @returns the numbers of the jobs */
function round(replica: TestReplica, limit = 1000): number[] {
  const commands = schedule(replica.state, { limit, random });
  expect(replica.system(...commands).every(({ ok }) => ok)).toBe(true);
  return commands.map(({ job }) => Number(job.slice(-12)));
}

/** Ends the one that runs, as often as said, on a machine for one job. @returns the owners, in the order of starts */
function oneByOne(replica: TestReplica, times: number, ownerOf: (n: number) => string): string[] {
  const owners: string[] = [];
  for (let i = 0; i < times; i += 1) {
    const [started] = round(replica);
    if (started === undefined) break;
    owners.push(ownerOf(started));
    replica.system(ended(started, 1));
  }
  return owners;
}

const held = ({ taken }: Use) => taken.cpuMilli;

const submitAll = (replica: TestReplica, count: number, spec: (n: number) => Partial<JobSpec>) =>
  replica.local(...Array.from({ length: count }, (_, n) => submit(n, { spec: spec(n) })));

describe('turns', () => {
  it('go by priority first, however much its owner holds', () => {
    const replica = machine(4);
    submitAll(replica, 8, (n) => ({ project: n < 6 ? 'a' : 'b', priority: n < 6 ? 60 : 50 }));
    expect(round(replica)).toEqual([0, 1, 2, 3]);
  });

  it('go to the project that holds less, though the other came first with more', () => {
    const replica = machine(4);
    submitAll(replica, 20, (n) => ({ project: n < 10 ? 'a' : 'b' }));
    expect(round(replica)).toEqual([0, 10, 1, 11]);
  });

  it('go by what is held, not by numbers: of the resource of which the part is largest', () => {
    const replica = machine(16);
    submitAll(replica, 40, (n) => ({
      project: n < 20 ? 'cpu' : 'memory',
      resources: n < 20 ? { cpu: 1 } : { cpu: 0, memory: '8GiB' },
    }));
    const started = round(replica, 9);
    expect(started.filter((n) => n < 20)).toHaveLength(6);
  });

  it('go between queues by weight', () => {
    const replica = machine(12);
    replica.local(setQueue('heavy', { weight: 3 }));
    submitAll(replica, 40, (n) => ({ queue: n < 20 ? 'light' : 'heavy' }));
    expect(round(replica).filter((n) => n < 20)).toHaveLength(3);
  });

  it('go between queues first, and then between the projects of each', () => {
    const replica = machine(12);
    submitAll(replica, 80, (n) => ({ queue: n < 20 ? 'one' : 'many', project: `p${n % 3}` }));
    const started = round(replica);
    expect(started.filter((n) => n < 20)).toHaveLength(6);
    for (const project of [0, 1, 2]) {
      expect(started.filter((n) => n < 20 && n % 3 === project)).toHaveLength(2);
      expect(started.filter((n) => n >= 20 && n % 3 === project)).toHaveLength(2);
    }
  });

  it('alternate where there is room for one job alone', () => {
    const replica = machine(1);
    submitAll(replica, 30, (n) => ({ project: n < 10 ? 'a' : n < 20 ? 'b' : 'c' }));
    const owners = oneByOne(replica, 12, (n) => (n < 10 ? 'a' : n < 20 ? 'b' : 'c'));
    expect(owners.join('')).toBe('abcabcabcabc');
  });

  it('go by weight over time where there is room for one job alone', () => {
    const replica = machine(1);
    replica.local(setQueue('heavy', { weight: 3 }));
    submitAll(replica, 80, (n) => ({ queue: n < 40 ? 'light' : 'heavy' }));
    const owners = oneByOne(replica, 40, (n) => (n < 40 ? 'light' : 'heavy'));
    expect(owners.filter((owner) => owner === 'heavy')).toHaveLength(30);
  });

  it.each(['project', 'queue'])('owe nothing to a %s that asked for nothing before', (owner) => {
    const replica = machine(1);
    submitAll(replica, 30, () => ({ [owner]: 'a' }));
    oneByOne(replica, 20, () => 'a');
    replica.local(...Array.from({ length: 10 }, (_, n) => submit(100 + n, { spec: { [owner]: 'b' } })));
    expect(oneByOne(replica, 10, (n) => (n < 100 ? 'a' : 'b')).filter((name) => name === 'b')).toHaveLength(5);
  });

  it('are fair within one job: before its last one none held more for its weight than another that still waits', () => {
    const owner = fc.record({ queue: fc.constantFrom('a', 'b', 'c'), project: fc.constantFrom('p', 'q') });
    const job = fc.record({ owner, cpu: fc.constantFrom(0.5, 1, 2) });
    const jobs = fc.array(job, { minLength: 10, maxLength: 80, size: 'max' });
    const weights = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }));
    const largest = 2000;
    fc.assert(
      fc.property(jobs, weights, fc.integer({ min: 1, max: 60 }), (made, [a, b], limit) => {
        const replica = machine(1000);
        replica.local(setQueue('a', { weight: a }), setQueue('b', { weight: b }));
        submitAll(replica, made.length, (n) => ({ ...made[n]!.owner, resources: { cpu: made[n]!.cpu } }));
        expect(round(replica, limit)).toHaveLength(Math.min(limit, made.length));
        const { queue, use } = replica.state;
        for (const { name, lanes } of queue.queues.values()) {
          const mine = held(use.useOf(name)) / settingsOf(replica.state, name).weight;
          for (const [other, { use: theirs, projects }] of use.queues) {
            const { weight } = settingsOf(replica.state, other);
            expect((held(theirs) - largest) / weight).toBeLessThanOrEqual(mine);
            if (other !== name) continue;
            for (const project of lanes.keys()) {
              const own = held(use.useOfProject({ queue: name, project }));
              for (const account of projects.values()) expect(held(account.use) - largest).toBeLessThanOrEqual(own);
            }
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('whose turn it is', () => {
  it('is not forgotten while jobs of an owner go on: what was given counts after the state is loaded anew, too', () => {
    const replica = machine(4);
    submitAll(replica, 8, (n) => ({ project: n < 6 ? 'a' : 'b' }));
    round(replica, 3);
    replica.reload();
    expect(replica.state.use.useOfProject({ queue: 'default', project: 'a' }).running).toBe(2);
    expect(round(replica)).toEqual([7]);
    expect(replica.job(7).id).toBe(jobId(7));
  });
});
