import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/limits.ts';
import { explain } from '../../../src/scheduling/explain.ts';
import { amounts, assign, I1, I2, jobId, R1, R2, register, setQueue, START, submit, TestReplica } from '../builders.ts';

describe('explain', () => {
  it('tells what a queued job waits for, with numbers', () => {
    const replica = TestReplica.founded();
    replica.system(register(R1, I1, amounts({ gpu: 2 }), { zone: 'a' }), register(R2, I2, amounts({ cpuMilli: 1000 })));
    replica.local(submit(1), submit(2, { spec: { resources: { cpu: 2, gpu: 4 }, constraints: ['zone == b'] } }));
    expect(explain(replica.state, jobId(2))).toEqual({
      state: 'queued',
      ahead: 1,
      runners: 2,
      able: 0,
      fitting: 0,
      reasons: [
        { kind: 'constraint', constraint: 'zone == b', runners: 2 },
        { kind: 'resource', resource: 'cpuMilli', wanted: 2000, mostFree: 4000, mostTotal: 4000, runners: 1 },
        { kind: 'resource', resource: 'gpu', wanted: 4, mostFree: 2, mostTotal: 2, runners: 2 },
      ],
      turn: { queue: 'default', weight: 1, queueShare: 0, project: 'default', projectShare: 0 },
      claim: null,
      lower: { preemptible: 0, spared: { queue: 0, retryNever: 0, preemptions: 0, ending: 0 } },
      preempted: { times: 0, most: LIMITS.preemptions },
    });
    expect(explain(replica.state, jobId(1))).toMatchObject({ ahead: 0, fitting: 2, reasons: [] });
  });

  it('tells of a paused queue, and of limits with their numbers', () => {
    const replica = TestReplica.withRunner();
    const two = { running: null, cpuMilli: null, memoryBytes: 2 ** 30 };
    replica.local(setQueue('q', { state: 'paused', weight: 3, limits: two, projectLimits: { running: 1 } }));
    replica.local(...[1, 2].map((n) => submit(n, { spec: { queue: 'q', resources: { cpu: 1, memory: '768MiB' } } })));
    expect(explain(replica.state, jobId(2))).toMatchObject({
      fitting: 0,
      reasons: [{ kind: 'paused', queue: 'q', runners: 1 }],
    });
    replica.local(setQueue('q', { state: 'open' }));
    replica.system(assign(1, 1));
    const memory = { wanted: 768 * 2 ** 20, used: 768 * 2 ** 20, most: 2 ** 30 };
    expect(explain(replica.state, jobId(2))).toMatchObject({
      fitting: 0,
      reasons: [
        { kind: 'limit', of: 'queue', name: 'q', limit: 'memoryBytes', ...memory },
        { kind: 'limit', of: 'project', name: 'default', limit: 'running', wanted: 1, used: 1, most: 1 },
      ],
      turn: { queue: 'q', weight: 3, queueShare: 0.25, project: 'default', projectShare: 0.25 },
    });
  });

  it('tells of runners that take nothing', () => {
    const replica = TestReplica.founded();
    replica.system(register(R1, I1), register(R2, I2), { kind: 'loseRunner', runner: R2, incarnation: I2 });
    replica.local({ kind: 'drainRunner', runner: R1, mode: 'drain' }, submit(1));
    expect(explain(replica.state, jobId(1))).toMatchObject({
      runners: 2,
      fitting: 0,
      reasons: [
        { kind: 'lost', runners: 1 },
        { kind: 'draining', runners: 1 },
      ],
    });
  });

  it('tells where a job runs, until when it waits, and nothing of others', () => {
    const replica = TestReplica.withRunner();
    replica.local(
      submit(1, { placement: { runner: R1, incarnation: I1 } }),
      submit(2, { spec: { notBefore: new Date(START + 5).toISOString() } }),
    );
    expect(explain(replica.state, jobId(1))).toMatchObject({ state: 'assigned', runner: R1, attempt: 1 });
    expect(explain(replica.state, jobId(2))).toEqual({ state: 'waiting', why: 'notBefore', until: START + 5 });
    expect(explain(replica.state, jobId(3))).toBe(null);
  });
});
