import { describe, expect, it } from 'vitest';
import type { Incarnation, NodeId } from '../../../src/ids.ts';
import { LIMITS } from '../../../src/limits.ts';
import type { Command } from '../../../src/state/commands.ts';
import { LOST_PER_COMMAND } from '../../../src/state/lost-attempts.ts';
import { LOST_AT_ONCE, LOST_PER_SECOND } from '../../../src/state/lost-pace.ts';
import {
  amounts,
  assign,
  cancel,
  ended,
  I1,
  I2,
  picture,
  R1,
  R2,
  register,
  started,
  submit,
  TestReplica,
} from '../builders.ts';

const start = (n: number) => `start-${n}` as Incarnation;
const lose = (runner: NodeId, incarnation: Incarnation): Command => ({ kind: 'loseRunner', runner, incarnation });
const PATIENT = { retry: { lostMax: 100 } };

describe('a job that is there whenever its runner is lost', () => {
  it('ends as lost before it has taken down one machine after the other, whatever its lostMax', () => {
    const replica = TestReplica.founded();
    replica.local(submit(1, { spec: PATIENT }));
    const runners = Array.from({ length: LIMITS.runnersLost }, (_, n) => `runner-${n}` as NodeId);
    for (const [n, runner] of runners.entries()) {
      expect(replica.job(1).state).toBe('queued');
      replica.system(register(runner, I1), assign(1, n + 1, runner), started(1, n + 1), lose(runner, I1));
      replica.reload();
    }
    expect(replica.job(1)).toMatchObject({ state: 'lost', reason: expect.stringContaining('(runnersLost)') as string });
    expect(replica.job(1).past).toHaveLength(LIMITS.runnersLost);
  });

  it('is told of by a runner that was started anew as by one whose lease is over', () => {
    const replica = TestReplica.founded();
    replica.local(submit(1, { spec: PATIENT }));
    for (let n = 1; n <= LIMITS.runnersLost; n += 1) {
      replica.system(register(R1, start(n)), assign(1, n, R1, start(n)));
    }
    expect(replica.job(1).state).toBe('assigned');
    replica.system(register(R1, start(LIMITS.runnersLost + 1)));
    expect(replica.job(1).state).toBe('lost');
  });

  it('goes on when the runners come back as the same processes: they were only cut off', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { spec: PATIENT }));
    for (let n = 1; n <= 20; n += 1) {
      replica.system(assign(1, n), lose(R1, I1), register(R1, I1));
      expect(replica.job(1).state).toBe('queued');
    }
    // That the process has ended since does not make a loss of it that it was not.
    replica.system(register(R1, I2), assign(1, 21, R1, I2), lose(R1, I2));
    replica.reload();
    expect(replica.job(1).state).toBe('queued');
    expect(replica.state.runners.get(R1)?.returned).toEqual([I1]);
  });

  it('is none when its machines are removed by hand, or its attempts are lost alone', () => {
    const replica = TestReplica.founded();
    replica.local(submit(1, { spec: PATIENT }));
    for (let n = 1; n <= 10; n += 1) {
      const runner = `runner-${n}` as NodeId;
      replica.system(register(runner, I1), assign(1, 2 * n - 1, runner));
      replica.system(ended(1, 2 * n - 1, { ...LOST_ALONE }), assign(1, 2 * n, runner));
      replica.system({ kind: 'forgetNode', node: runner });
    }
    expect(replica.job(1)).toMatchObject({ state: 'queued', past: { length: 20 } });
  });

  it('is cancelled when somebody cancelled it', () => {
    const replica = TestReplica.founded();
    replica.local(submit(1, { spec: PATIENT }));
    for (let n = 1; n <= LIMITS.runnersLost; n += 1) {
      replica.system(register(R1, start(n)), assign(1, n, R1, start(n)));
    }
    replica.local(cancel(1));
    replica.system(lose(R1, start(LIMITS.runnersLost)));
    expect(replica.job(1).state).toBe('cancelled');
  });
});

describe('a mass loss', () => {
  const MANY = LOST_PER_COMMAND + LOST_AT_ONCE + 700;

  /** A runner that holds so many attempts, and another one beside it. */
  function crowded(many: number): TestReplica {
    const replica = TestReplica.founded();
    const total = amounts({ cpuMilli: 1000 * many });
    replica.system(register(R1, I1, total), register(R2, I2, total));
    const numbers = Array.from({ length: many }, (_, n) => n + 1);
    replica.local(...numbers.map((n) => submit(n, { placement: { runner: R1, incarnation: I1 } })));
    return replica;
  }

  it('is carried out by several entries, each of which takes a bounded number of attempts', () => {
    const replica = crowded(MANY);
    const counts = () => replica.state.counts;
    replica.system(lose(R1, I1));
    // The command itself, and the follow-ups of its entry.
    expect(counts().assigned).toBe(MANY - 2 * LOST_PER_COMMAND);
    expect(replica.state.followUps.size).toBe(1);
    const twin = TestReplica.founded();
    for (const [key, record] of replica.disk) twin.disk.set(key, record);
    twin.at = replica.at;
    twin.index = replica.index;
    twin.reload();
    for (const each of [replica, twin]) each.system({ kind: 'clock' });
    expect(counts().assigned).toBe(0);
    expect(replica.state.followUps.size).toBe(0);
    expect({ ...picture(twin.state), proposers: [] }).toEqual({ ...picture(replica.state), proposers: [] });
  });

  it('spares what was not lost yet when the same process is back, and what was assigned to it since', () => {
    const replica = crowded(2 * LOST_PER_COMMAND + 10);
    replica.system(lose(R1, I1), register(R1, I1));
    expect(replica.state.counts.assigned).toBe(LOST_PER_COMMAND + 10);
    expect(replica.state.followUps.size).toBe(0);
  });

  it('queues so many jobs again at once, and the others at a bounded rate', () => {
    const replica = crowded(MANY);
    replica.system(lose(R1, I1));
    replica.system({ kind: 'clock' });
    expect(replica.state.counts).toMatchObject({ queued: LOST_AT_ONCE, waiting: MANY - LOST_AT_ONCE, assigned: 0 });
    let queued: number = LOST_AT_ONCE;
    for (let second = 1; queued < MANY; second += 1) {
      replica.pass(1000);
      queued = Math.min(MANY, LOST_AT_ONCE + second * LOST_PER_SECOND);
      expect(replica.state.counts.queued).toBe(queued);
    }
    // By now the pace is free again.
    replica.system(assign(1, 2, R2, I2), lose(R2, I2));
    expect(replica.job(1).state).toBe('queued');
  });
});

const LOST_ALONE = { outcome: 'lost', exitCode: null, signal: null, reason: 'no disk space', usage: null } as const;
