import { describe, expect, it } from 'vitest';
import { FOLLOW_UPS_PER_ENTRY } from '../../../src/state/follow-ups.ts';
import type { FinalState } from '../../../src/jobs/job.ts';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import {
  assign,
  cancel,
  ended,
  ending,
  FAILED,
  jobId,
  picture,
  START,
  started,
  submit,
  TestReplica,
} from '../builders.ts';

type On = 'succeeded' | 'failed' | 'finished';

function after(...jobs: readonly (number | readonly [number, On])[]): Partial<JobSpec> {
  return {
    dependsOn: jobs.map((job) => (typeof job === 'number' ? { job: jobId(job) } : { job: jobId(job[0]), on: job[1] })),
  };
}

/** Runs a queued job to this end, or has it end without running. */
function end(replica: TestReplica, n: number, state: FinalState): void {
  if (state === 'cancelled') replica.local(cancel(n));
  else replica.system(assign(n, 1), started(n, 1), ended(n, 1, outcomeOf(state)));
}

function outcomeOf(state: FinalState) {
  return state === 'succeeded'
    ? ending()
    : ({ ...FAILED, outcome: state === 'timedOut' ? 'timedOut' : 'failed' } as const);
}

describe('a job that depends on others', () => {
  it('waits until all of them have succeeded', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1), submit(2), submit(3, { spec: after(1, 2) }));
    expect(replica.job(3)).toMatchObject({ state: 'waiting', why: 'dependencies', missing: [jobId(1), jobId(2)] });
    end(replica, 1, 'succeeded');
    expect(replica.job(3)).toMatchObject({ state: 'waiting', missing: [jobId(2)] });
    end(replica, 2, 'succeeded');
    expect(replica.job(3).state).toBe('queued');
  });

  it.each<[On, FinalState, string]>([
    ['succeeded', 'succeeded', 'queued'],
    ['succeeded', 'failed', 'cancelled'],
    ['succeeded', 'cancelled', 'cancelled'],
    ['failed', 'succeeded', 'cancelled'],
    ['failed', 'failed', 'queued'],
    ['failed', 'timedOut', 'queued'],
    ['finished', 'succeeded', 'queued'],
    ['finished', 'cancelled', 'queued'],
  ])('on %s is, after one that %s, %s', (on, state, becomes) => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1), submit(2, { spec: after([1, on]) }));
    end(replica, 1, state);
    expect(replica.job(2).state).toBe(becomes);
  });

  it('tells which one kept it from running', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1), submit(2, { spec: after(1) }));
    end(replica, 1, 'failed');
    expect(replica.job(2)).toMatchObject({
      state: 'cancelled',
      reason: `the job ${jobId(1)}, which it depends on, ended as failed`,
    });
  });

  it('passes its own end on to those that depend on it, however long the chain', () => {
    const replica = TestReplica.withRunner();
    const length = 3 * FOLLOW_UPS_PER_ENTRY;
    const followers = Array.from({ length: length - 1 }, (_, n) => submit(n + 2, { spec: after(n + 1) }));
    replica.local(submit(1), ...followers);
    replica.local(cancel(1));
    for (let entry = 0; replica.state.followUps.size > 0; entry += 1) {
      expect(entry).toBeLessThan(10);
      replica.pass(1);
    }
    expect(replica.job(length).state).toBe('cancelled');
    expect(replica.state.jobs.size).toBe(0);
  });

  it('waits for its time too', () => {
    const replica = TestReplica.withRunner();
    const notBefore = new Date(START + 1000).toISOString();
    replica.local(submit(1), submit(2, { spec: { ...after(1), notBefore } }));
    end(replica, 1, 'succeeded');
    expect(replica.job(2)).toMatchObject({ state: 'waiting', why: 'notBefore', until: START + 1000 });
    replica.pass(1000);
    expect(replica.job(2).state).toBe('queued');
  });

  it('on one that is final already goes by what its proposer read of that', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1));
    end(replica, 1, 'succeeded');
    const [unknown] = replica.local(submit(2, { spec: after(1) }));
    expect(unknown).toMatchObject({ ok: false, code: 'unknownDependency', field: 'dependsOn' });
    replica.local({ ...submit(3, { spec: after(1) }), outcomes: [{ job: jobId(1), state: 'succeeded' }] } as never);
    expect(replica.job(3).state).toBe('queued');
    replica.local({ ...submit(4, { spec: after(1) }), outcomes: [{ job: jobId(1), state: 'failed' }] } as never);
    expect(replica.job(4).state).toBe('cancelled');
  });

  it('may be cancelled while it waits, and is not heard of again', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1), submit(2, { spec: after(1) }), cancel(2));
    end(replica, 1, 'succeeded');
    expect(replica.job(2).state).toBe('cancelled');
  });
});

describe('many jobs that depend on one', () => {
  const MANY = 2 * FOLLOW_UPS_PER_ENTRY + 500;

  function fanOut(): TestReplica {
    const replica = TestReplica.withRunner();
    replica.local(submit(0), ...Array.from({ length: MANY }, (_, n) => submit(n + 1, { spec: after(0) })));
    return replica;
  }

  it('are told of its end by a bounded number in each entry', () => {
    const replica = fanOut();
    end(replica, 0, 'succeeded');
    expect(replica.state.counts).toMatchObject({ queued: FOLLOW_UPS_PER_ENTRY, waiting: MANY - FOLLOW_UPS_PER_ENTRY });
    replica.pass(1);
    expect(replica.state.counts.queued).toBe(2 * FOLLOW_UPS_PER_ENTRY);
    replica.pass(1);
    expect(replica.state.counts).toMatchObject({ queued: MANY, waiting: 0 });
  });

  it('are told by fewer in each entry, the more others each of them waits for', () => {
    const replica = TestReplica.withRunner();
    const awaited = Array.from({ length: 64 }, (_, n) => n);
    replica.local(...awaited.map((n) => submit(n)));
    replica.local(...Array.from({ length: 500 }, (_, n) => submit(100 + n, { spec: after(...awaited) })));
    replica.local(cancel(0));
    expect(replica.state.counts.waiting).toBe(250);
    replica.pass(1);
    expect(replica.state.counts.waiting).toBe(0);
  });

  it('are told in the same order by a replica that started anew in between', () => {
    const [one, other] = [fanOut(), fanOut()];
    for (const replica of [one, other]) end(replica, 0, 'succeeded');
    other.reload();
    for (const replica of [one, other]) replica.pass(1);
    expect(picture(one.state)).toEqual(picture(other.state));
  });

  it('and new ones meanwhile know its end at once', () => {
    const replica = fanOut();
    end(replica, 0, 'failed');
    replica.local(submit(MANY + 1, { spec: after(0) }), submit(MANY + 2, { spec: after([0, 'failed']) }));
    expect(replica.job(MANY + 1).state).toBe('cancelled');
    expect(replica.job(MANY + 2).state).toBe('queued');
  });

  it('keep it from being tried again until all of them know', () => {
    const replica = fanOut();
    end(replica, 0, 'failed');
    const retry = { kind: 'retry', job: jobId(0), record: replica.job(0) } as never;
    expect(replica.local(retry)[0]).toMatchObject({ ok: false, code: 'wrongState' });
    while (replica.state.followUps.size > 0) replica.pass(1);
    expect(replica.local(retry)[0]).toMatchObject({ ok: true });
  });
});
