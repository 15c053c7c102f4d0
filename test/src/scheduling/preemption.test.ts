import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JobId, NodeId } from '../../../src/ids.ts';
import type { LiveJob, QueuedJob, UnfinishedJob } from '../../../src/jobs/job.ts';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import { LIMITS } from '../../../src/limits.ts';
import { CLAIM_MS } from '../../../src/scheduling/claims.ts';
import { followOn } from '../../../src/scheduling/follow-on.ts';
import { placeOne, schedule, scheduleWithPreemption } from '../../../src/scheduling/place.ts';
import { MOST_LOOKED_AT } from '../../../src/scheduling/preemption.ts';
import { MAX_VICTIMS } from '../../../src/scheduling/victims.ts';
import type { Command } from '../../../src/state/commands.ts';
import { isLive } from '../../../src/state/state.ts';
import {
  amounts,
  assign,
  cancel,
  ended,
  ending,
  FAILED,
  I1,
  I2,
  jobId,
  picture,
  R1,
  R2,
  register,
  setQueue,
  started,
  submit,
  TestReplica,
} from '../builders.ts';

const STOPPED = ending({ outcome: 'cancelled', exitCode: null, signal: 'SIGTERM' });
const LOW = { queue: 'batch', priority: 10 };
const HIGH = { priority: 60 };

/** A runner of four processors, and a queue whose jobs may be stopped. */
function cluster(): TestReplica {
  const replica = TestReplica.withRunner();
  replica.local(setQueue('batch', { preemption: 'requeue' }));
  return replica;
}

/** Jobs of one processor each, unless their specs say other, that run at a runner from these moments on. */
function run(replica: TestReplica, specs: readonly Partial<JobSpec>[], runner = R1): void {
  for (const [i, spec] of specs.entries()) {
    const n = 1 + [...replica.state.jobs.keys()].length;
    replica.local(submit(n, { spec }));
    replica.system(assign(n, 1, runner), started(n, 1, I1, replica.at + i));
    expect(replica.job(n).state).toBe('running');
  }
}

function decide(replica: TestReplica): readonly Command[] {
  return scheduleWithPreemption(replica.state, { limit: 100, random: () => 0.5 });
}

function victimsOf(commands: readonly Command[]): number[] {
  return commands.flatMap((command) =>
    command.kind === 'preempt' ? command.victims.map(({ job }) => Number(job.slice(-12))) : [],
  );
}

/** The leader's round, taken by the log. */
function play(replica: TestReplica): readonly Command[] {
  const commands = decide(replica);
  expect(replica.system(...commands).every(({ ok }) => ok)).toBe(true);
  return commands;
}

describe('preemption chooses', () => {
  it('what runs of lower priority in a queue that allows it, and no more of it than makes room', () => {
    const replica = cluster();
    run(replica, [LOW, LOW, LOW, LOW]);
    replica.local(submit(10, { spec: { ...HIGH, resources: { cpu: 2 } } }));
    expect(decide(replica)).toEqual([
      {
        kind: 'preempt',
        job: jobId(10),
        attempt: 1,
        placement: { runner: R1, incarnation: I1 },
        victims: [
          { job: jobId(4), attempt: 1 },
          { job: jobId(3), attempt: 1 },
        ],
      },
    ]);
    expect(schedule(replica.state, { limit: 100, random: () => 0.5 })).toEqual([]);
  });

  it('the lowest priority first, then what began last', () => {
    const replica = cluster();
    replica.local(...[10, 5, 5, 10].map((priority, i) => submit(i + 1, { spec: { ...LOW, priority } })));
    for (const n of [1, 3, 4, 2]) {
      replica.at += 1;
      replica.system(assign(n, 1), started(n, 1, I1, replica.at));
    }
    replica.local(submit(10, { spec: HIGH }));
    expect(victimsOf(decide(replica))).toEqual([2]);
  });

  it('the runner where it does the least harm: by priority, then by number, then by what is lost of their work', () => {
    const replica = cluster();
    replica.system(register(R2, I1));
    run(replica, [
      { ...LOW, resources: { cpu: 2 } },
      { ...LOW, resources: { cpu: 2 } },
    ]);
    replica.at += 1000;
    run(replica, [LOW, LOW, LOW, LOW], R2);
    replica.local(submit(10, { spec: { ...HIGH, resources: { cpu: 2 } } }));
    expect(victimsOf(decide(replica))).toEqual([2]);
    replica.local(cancel(10), submit(11, { spec: HIGH }));
    expect(victimsOf(decide(replica))).toEqual([6]);
    replica.local(cancel(11), submit(12, { spec: { ...HIGH, resources: { cpu: 4 } } }));
    expect(victimsOf(decide(replica))).toEqual([2, 1]);
  });

  it('none that is needless: what one large one gives beyond need spares small ones', () => {
    const replica = cluster();
    run(replica, [
      { ...LOW, priority: 7, resources: { cpu: 3 } },
      { ...LOW, priority: 5 },
    ]);
    replica.local(submit(10, { spec: { ...HIGH, resources: { cpu: 3 } } }));
    expect(victimsOf(decide(replica))).toEqual([1]);
  });

  it('none that has nothing of what is missing', () => {
    const replica = TestReplica.founded();
    replica.system(register(R1, I1, amounts({ cpuMilli: 8000, gpu: 1 })));
    replica.local(setQueue('batch', { preemption: 'requeue' }));
    run(replica, [
      { ...LOW, priority: 1 },
      { ...LOW, resources: { cpu: 1, gpu: 1 } },
    ]);
    replica.local(submit(10, { spec: { ...HIGH, resources: { cpu: 1, gpu: 1 } } }));
    expect(victimsOf(decide(replica))).toEqual([2]);
  });

  it('what has it, among more than may be stopped that have not', () => {
    const replica = TestReplica.founded();
    replica.system(register(R1, I1, amounts({ gpu: 1 })));
    replica.local(setQueue('batch', { preemption: 'requeue' }));
    run(replica, [{ ...LOW, resources: { cpu: 0, gpu: 1 } }]);
    run(
      replica,
      Array.from({ length: MAX_VICTIMS + 8 }, () => ({ ...LOW, priority: 1, resources: { cpu: 0.1 } })),
    );
    replica.local(submit(100, { spec: { ...HIGH, resources: { cpu: 0, gpu: 1 } } }));
    expect(victimsOf(decide(replica))).toEqual([1]);
  });

  it('one for two jobs that have room in what it holds', () => {
    const replica = cluster();
    replica.system(register(R2, I1));
    run(replica, [{ ...LOW, resources: { cpu: 4 } }]);
    run(replica, [{ ...LOW, resources: { cpu: 4 } }], R2);
    replica.local(...[10, 11].map((n) => submit(n, { spec: { ...HIGH, resources: { cpu: 2 } } })));
    const commands = play(replica);
    expect(commands).toHaveLength(1);
    const [victim = 0] = victimsOf(commands);
    expect(decide(replica)).toEqual([]);
    replica.system(ended(victim, 1, STOPPED));
    play(replica);
    for (const n of [10, 11]) expect(replica.job(n).state).toBe('assigned');
  });

  it.each<readonly [string, Partial<JobSpec>]>([
    ['of the same priority', { ...LOW, priority: 60 }],
    ['of a higher priority', { ...LOW, priority: 61 }],
    ['in a queue that nobody has set', { priority: 10 }],
    ['that may run once only', { ...LOW, retry: 'never' }],
  ])('nothing %s', (_, spec) => {
    const replica = cluster();
    run(replica, [spec, spec, spec, spec]);
    replica.local(submit(10, { spec: HIGH }));
    expect(decide(replica)).toEqual([]);
    const command = preemptCommand(10, [4]);
    expect(replica.system(command)[0]).toMatchObject({ ok: false, code: 'conflict' });
  });

  it('nothing that stands above the job itself', () => {
    const replica = cluster();
    run(replica, [LOW]);
    run(replica, [{ ...LOW, parent: jobId(1), resources: { cpu: 3 }, retry: 'never' }]);
    replica.local(submit(10, { spec: { ...HIGH, parent: jobId(2) } }));
    expect(decide(replica)).toEqual([]);
    expect(replica.system(preemptCommand(10, [1]))[0]).toMatchObject({ ok: false });
  });

  it('nothing that others wait for at its runner, and nobody comes to wait for what is being stopped', () => {
    const replica = cluster();
    run(replica, [{ ...LOW, resources: { cpu: 4 } }]);
    const behind = (n: number): Command => ({ ...assign(n, 1), behind: jobId(1) }) as Command;
    replica.local(submit(2), submit(10, { spec: HIGH }));
    replica.system(behind(2));
    expect(replica.job(2).state).toBe('assigned');
    expect(decide(replica)).toEqual([]);
    expect(replica.system(preemptCommand(10, [1]))[0]).toMatchObject({ ok: false });
    replica.system({ kind: 'handBack', job: jobId(2), index: replica.job(2).index });
    expect(victimsOf(play(replica))).toEqual([1]);
    expect(replica.system(behind(2))[0]).toMatchObject({ ok: false, code: 'conflict' });
  });

  it('nothing where there is room, or where it comes free by itself', () => {
    const replica = cluster();
    run(replica, [LOW, LOW, LOW, LOW]);
    replica.local(cancel(1), submit(10, { spec: HIGH }));
    expect(decide(replica)).toEqual([]);
    expect(replica.system(preemptCommand(10, [2]))[0]).toMatchObject({ ok: false });
    // One that was told to stop long ago and did not is not counted on.
    replica.pass(40_000);
    expect(victimsOf(decide(replica))).toEqual([4]);
    replica.system(register(R2, I1));
    expect(decide(replica)).toMatchObject([{ kind: 'assign', placement: { runner: R2 } }]);
    run(replica, [{ ...LOW, resources: { cpu: 4 } }], R2);
    expect(victimsOf(decide(replica))).not.toEqual([]);
    replica.local(cancel(2));
    expect(decide(replica)).toEqual([]);
  });

  it('nothing for a job whose queue is paused or at its limit', () => {
    const replica = cluster();
    run(replica, [LOW, LOW, LOW, LOW]);
    replica.local(setQueue('urgent', { limits: { running: 1 } }));
    replica.local(...[10, 11, 12].map((n) => submit(n, { spec: { ...HIGH, queue: 'urgent' } })));
    expect(victimsOf(play(replica))).toEqual([4]);
    expect(decide(replica)).toEqual([]);
    replica.local(setQueue('urgent', { state: 'paused', limits: { running: null } }));
    expect(decide(replica)).toEqual([]);
  });

  it('nothing where it would take too many', () => {
    const replica = TestReplica.founded();
    replica.system(register(R1, I1, amounts({ cpuMilli: 1000 * (MAX_VICTIMS + 1) })));
    replica.local(setQueue('batch', { preemption: 'requeue' }));
    run(
      replica,
      Array.from({ length: MAX_VICTIMS + 1 }, () => LOW),
    );
    replica.local(submit(100, { spec: { ...HIGH, resources: { cpu: MAX_VICTIMS + 1 } } }));
    expect(decide(replica)).toEqual([]);
    replica.local(submit(101, { spec: { ...HIGH, resources: { cpu: MAX_VICTIMS } } }));
    expect(victimsOf(decide(replica))).toHaveLength(MAX_VICTIMS);
  });

  it('from a part of what runs where that is much, so that no call takes long', () => {
    const PER_RUNNER = 40;
    const runners = Math.ceil((1.5 * MOST_LOOKED_AT) / PER_RUNNER);
    const replica = TestReplica.founded();
    const total = amounts({ cpuMilli: 100 * PER_RUNNER });
    const ids = Array.from({ length: runners }, (_, n) => `runner-${n}` as NodeId);
    replica.system(...ids.map((id) => register(id, I1, total)));
    const never = { ...LOW, retry: 'never', resources: { cpu: 0.1 } } as const;
    replica.local(
      setQueue('batch', { preemption: 'requeue' }),
      ...Array.from({ length: runners * PER_RUNNER }, (_, n) =>
        submit(n, { spec: never, placement: { runner: ids[n % runners]!, incarnation: I1 } }),
      ),
      ...[1, 2, 3].map((cpu) => submit(1_000_000 + cpu, { spec: { ...HIGH, resources: { cpu } } })),
    );
    let looks = 0;
    class Counting extends Map<JobId, UnfinishedJob> {
      override get(id: JobId) {
        looks += 1;
        return super.get(id);
      }
    }
    const jobs = new Counting(replica.state.jobs);
    const { allocationList, cluster: record, queue, queues, successors, use } = replica.state;
    const seen = { allocationList, cluster: record, jobs, queue, queues, successors, use };
    expect(scheduleWithPreemption(seen, { limit: 100, random: () => 0.5 })).toEqual([]);
    expect(looks).toBeGreaterThan(MOST_LOOKED_AT / 2);
    expect(looks).toBeLessThan(MOST_LOOKED_AT + 3 * PER_RUNNER);
  });

  it('for several jobs of one class in one round', () => {
    const replica = cluster();
    run(replica, [LOW, LOW, LOW, LOW]);
    replica.local(...[10, 11, 12].map((n) => submit(n, { spec: HIGH })));
    expect(victimsOf(play(replica))).toEqual([4, 3, 2]);
    expect(decide(replica)).toEqual([]);
  });
});

describe('a preempted attempt', () => {
  it('ends as preempted, and its job is queued again with a further attempt', () => {
    const replica = cluster();
    run(replica, [{ ...LOW, resources: { cpu: 4 }, retry: { max: 0, lostMax: 0 } }]);
    replica.local(submit(10, { spec: HIGH }));
    play(replica);
    expect(replica.job(1)).toMatchObject({ state: 'running', preempt: { by: jobId(10), priority: 60 } });
    replica.reload();
    replica.system(ended(1, 1, STOPPED));
    expect(replica.job(1)).toMatchObject({ state: 'queued', past: [{ outcome: 'preempted', signal: 'SIGTERM' }] });
    expect(replica.system(ended(1, 1, ending(), I1, 99))[0]).toMatchObject({ ok: false, code: 'staleAttempt' });
    play(replica);
    expect(replica.job(10).state).toBe('assigned');
    replica.system(ended(10, 1));
    play(replica);
    expect(replica.job(1)).toMatchObject({ state: 'assigned', current: { attempt: 2 } });
    replica.system(ended(1, 2));
    expect(replica.job(1).state).toBe('succeeded');
  });

  it('counts as nothing else: what fails or is lost has all its retries', () => {
    const replica = cluster();
    run(replica, [{ ...LOW, resources: { cpu: 4 }, retry: { max: 1, lostMax: 1, backoff: { initial: '0s' } } }]);
    replica.local(submit(10, { spec: HIGH }));
    play(replica);
    replica.system(ended(1, 1, STOPPED), ended(1, 1), assign(10, 1));
    replica.system(ended(10, 1), assign(1, 2), ended(1, 2, FAILED));
    expect(replica.job(1).state).toBe('queued');
    replica.system(assign(1, 3), { kind: 'loseRunner', runner: R1, incarnation: I1 });
    expect(replica.job(1).state).toBe('queued');
  });

  it('has ended by itself when it did before it was stopped', () => {
    for (const end of [ending(), FAILED]) {
      const replica = cluster();
      run(replica, [{ ...LOW, resources: { cpu: 4 } }]);
      replica.local(submit(10, { spec: HIGH }));
      play(replica);
      replica.system(ended(1, 1, end));
      expect(replica.job(1).state).toBe(end.outcome);
      play(replica);
      expect(replica.job(10).state).toBe('assigned');
    }
  });

  it('is cancelled when its job is, and lost when its runner is', () => {
    const replica = cluster();
    run(replica, [
      { ...LOW, resources: { cpu: 2 } },
      { ...LOW, resources: { cpu: 2 } },
    ]);
    replica.local(submit(10, { spec: { ...HIGH, resources: { cpu: 4 } } }));
    play(replica);
    replica.local(cancel(1));
    replica.system(ended(1, 1, STOPPED), { kind: 'loseRunner', runner: R1, incarnation: I1 });
    expect(replica.job(1).state).toBe('cancelled');
    expect(replica.job(2)).toMatchObject({ state: 'queued', past: [{ outcome: 'lost' }] });
    expect(replica.job(10)).not.toHaveProperty('claim');
  });

  it('is none any more after as many as there may be', () => {
    const replica = cluster();
    run(replica, [{ ...LOW, resources: { cpu: 4 } }]);
    for (let n = 1; n <= LIMITS.preemptions; n += 1) {
      replica.local(submit(10 + n, { spec: HIGH }));
      expect(victimsOf(play(replica))).toEqual([1]);
      replica.system(ended(1, n, STOPPED), assign(10 + n, 1), ended(10 + n, 1), assign(1, n + 1));
      expect(replica.job(1).state).toBe('assigned');
    }
    replica.local(submit(20, { spec: HIGH }));
    expect(decide(replica)).toEqual([]);
    expect(replica.system(preemptCommand(20, [1], 1, LIMITS.preemptions + 1))[0]).toMatchObject({ ok: false });
  });
});

describe('the room that is made', () => {
  function making(): TestReplica {
    const replica = cluster();
    run(replica, [LOW, LOW, LOW, LOW]);
    replica.local(submit(10, { spec: { ...HIGH, resources: { cpu: 2 } } }));
    play(replica);
    return replica;
  }

  it('goes to the job that it is made for, and to none of the same or a lower priority', () => {
    const replica = making();
    // A runner with room that they may not go to: the most that any has free is not what keeps them away.
    replica.system(register(R2, I1, amounts({ cpuMilli: 1000 }), { zone: 'b' }));
    const spec = { constraints: ['zone != b'] };
    replica.local(submit(11, { spec: { ...spec, ...HIGH, queue: 'other' } }), submit(12, { spec }));
    const next = followOn(replica.state, R1, [jobId(4)], { random: () => 0.5, ahead: 'some' });
    expect(next).toEqual([]);
    replica.system(ended(4, 1, STOPPED));
    replica.reload();
    const there = expect.objectContaining({ kind: 'assign', placement: { runner: R1, incarnation: I1 } });
    expect(decide(replica)).not.toContainEqual(there);
    expect(replica.system(assign(11, 1), assign(12, 1), assign(4, 2)).map(({ ok }) => ok)).toEqual([
      false,
      false,
      false,
    ]);
    const last = followOn(replica.state, R1, [jobId(3)], { random: () => 0.5, ahead: 'some' });
    expect(last).toMatchObject([{ job: jobId(10) }]);
    expect(replica.system(ended(3, 1, STOPPED), ...last).every(({ ok }) => ok)).toBe(true);
    expect(replica.job(10).state).toBe('assigned');
    expect(replica.job(10)).not.toHaveProperty('claim');
  });

  it('goes to a job of higher priority that comes meanwhile', () => {
    const replica = making();
    replica.system(ended(4, 1, STOPPED));
    const plan = { ...(replica.job(10) as QueuedJob).plan, priority: 90, demand: replica.job(1).plan.demand };
    expect(placeOne(replica.state, plan, () => 0.5)).toMatchObject({ runner: R1 });
    expect(placeOne(replica.state, { ...plan, priority: 60 }, () => 0.5)).toBe(null);
    replica.local(submit(11, { spec: { priority: 90 } }));
    play(replica);
    expect(replica.job(11).state).toBe('assigned');
    replica.system(ended(3, 1, STOPPED));
    expect(decide(replica)).toEqual([]);
    replica.system(ended(11, 1));
    play(replica);
    expect(replica.job(10).state).toBe('assigned');
  });

  it('is given up after a while, and room may be made elsewhere then', () => {
    const replica = making();
    replica.system(ended(4, 1, STOPPED));
    replica.local(setQueue('default', { state: 'paused' }));
    replica.pass(CLAIM_MS - 1);
    expect(replica.job(10)).toHaveProperty('claim');
    expect(decide(replica)).toEqual([]);
    replica.pass(1);
    expect(replica.job(10)).not.toHaveProperty('claim');
    expect(decide(replica)).toMatchObject([{ kind: 'assign', job: jobId(4) }]);
  });

  it.each<readonly [string, Command]>([
    ['drains', { kind: 'drainRunner', runner: R1, mode: 'drain' }],
    ['is lost', { kind: 'loseRunner', runner: R1, incarnation: I1 }],
    ['was started anew', register(R1, I2)],
    ['is removed', { kind: 'forgetNode', node: R1 }],
  ])('is given up when its runner %s', (_, command) => {
    const replica = making();
    if (command.kind === 'drainRunner') replica.local(command);
    else replica.system(command);
    expect(replica.job(10).state).toBe('queued');
    expect(replica.job(10)).not.toHaveProperty('claim');
  });

  it('is free again when the job is cancelled, or finds room elsewhere', () => {
    const replica = making();
    replica.system(ended(4, 1, STOPPED));
    replica.local(cancel(10));
    expect(play(replica)).toMatchObject([{ job: jobId(4) }]);
    const other = making();
    other.system(register(R2, I2));
    expect(play(other)).toMatchObject([{ job: jobId(10), placement: { runner: R2 } }]);
  });

  it('is refused when a victim has ended or is another attempt by now, and when the job does not wait', () => {
    const replica = cluster();
    run(replica, [LOW, LOW, LOW, LOW]);
    replica.local(submit(10, { spec: { ...HIGH, resources: { cpu: 2 } } }));
    replica.system(ended(4, 1));
    expect(replica.system(preemptCommand(10, [3, 4]))[0]).toMatchObject({ ok: false });
    expect(replica.system(preemptCommand(10, [3], 1, 2))[0]).toMatchObject({ ok: false });
    expect(replica.system(preemptCommand(10, []))[0]).toMatchObject({ ok: false });
    expect(replica.system(preemptCommand(10, [3], 2))[0]).toMatchObject({ ok: false, code: 'staleAttempt' });
    expect(replica.system(preemptCommand(10, [3]))[0]).toMatchObject({ ok: true });
    expect(replica.system(preemptCommand(10, [2]))[0]).toMatchObject({ ok: false, code: 'wrongState' });
    expect(replica.system(preemptCommand(1, [2]))[0]).toMatchObject({ ok: false, code: 'wrongState' });
  });
});

function preemptCommand(n: number, victims: readonly number[], attempt = 1, ofVictims = 1): Command {
  return {
    kind: 'preempt',
    job: jobId(n),
    attempt,
    placement: { runner: R1, incarnation: I1 },
    victims: victims.map((victim) => ({ job: jobId(victim), attempt: ofVictims })),
  };
}

describe('in any cluster', () => {
  const spec = fc.record({
    priority: fc.integer({ min: 0, max: 5 }).map((n) => 10 * n),
    queue: fc.constantFrom('batch', 'batch', 'other'),
    cpu: fc.integer({ min: 1, max: 4 }),
    never: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
  });
  type Drawn = typeof spec extends fc.Arbitrary<infer Value> ? Value : never;
  const toSpec = ({ priority, queue, cpu, never }: Drawn): Partial<JobSpec> => ({
    priority,
    queue,
    resources: { cpu },
    ...(never ? { retry: 'never' } : {}),
  });

  it('preemption stops only what is of lower priority, nothing in vain, and comes to an end', () => {
    let preemptions = 0;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.array(spec, { minLength: 4, maxLength: 30, size: 'max' }),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        (runners, specs, draws) => {
          const random = () => draws.next().value as number;
          const replica = TestReplica.founded();
          const twin = TestReplica.founded();
          const both = (...commands: Command[]) => {
            twin.system(...commands);
            twin.reload();
            return replica.system(...commands);
          };
          const client = (...commands: Command[]) => [replica, twin].forEach((each) => each.local(...commands));
          both(...Array.from({ length: runners }, (_, n) => register(`runner-${n}` as NodeId, I1)));
          client(setQueue('batch', { preemption: 'requeue' }));
          for (const [n, drawn] of specs.entries()) {
            client(submit(n + 1, { spec: toSpec(drawn) }));
            preemptions += playRounds(replica, both, random);
          }
          expect(picture(twin.state).jobs).toEqual(picture(replica.state).jobs);
          // Whoever waits now has nothing to be stopped for it: the scheduler would have said so.
          expect(scheduleWithPreemption(replica.state, { limit: 100, random })).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
    expect(preemptions).toBeGreaterThan(60);
  });
});

/**
 * Rounds of the leader and ends of what they stop, until nothing is to do.
 * @returns how many jobs had others stopped for them
 */
function playRounds(
  replica: TestReplica,
  propose: (...commands: Command[]) => readonly { readonly ok: boolean }[],
  random: () => number,
): number {
  let preemptions = 0;
  for (let round = 0; ; round += 1) {
    expect(round).toBeLessThan(200);
    const commands = scheduleWithPreemption(replica.state, { limit: 100, random });
    for (const command of commands) {
      if (command.kind !== 'preempt') continue;
      preemptions += 1;
      checkPreemption(replica, command);
    }
    expect(propose(...commands).every(({ ok }) => ok)).toBe(true);
    const stopping = [...replica.state.jobs.values()].filter(isLive).filter(({ preempt }) => preempt !== undefined);
    if (commands.length === 0 && stopping.length === 0) return preemptions;
    const victim = stopping[Math.floor(random() * stopping.length)];
    if (victim !== undefined) propose(endOf(victim));
  }
}

function checkPreemption(replica: TestReplica, { job: id, victims }: Extract<Command, { kind: 'preempt' }>): void {
  const job = replica.state.jobs.get(id);
  for (const { job: victimId } of victims) {
    const victim = replica.state.jobs.get(victimId) as LiveJob;
    expect(victim.plan.priority).toBeLessThan(job?.plan.priority ?? 0);
    expect(victim.plan.queue).toBe('batch');
    expect(victim.spec.retry).not.toBe('never');
    expect(victim.past.length).toBeLessThan(LIMITS.preemptions);
  }
}

function endOf({ id, current }: LiveJob): Command {
  const { attempt, incarnation } = current;
  return { kind: 'ended', job: id, attempt, incarnation, startedAt: null, endedAt: 1, end: STOPPED };
}
