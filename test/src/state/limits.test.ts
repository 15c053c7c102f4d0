import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/limits.ts';
import { apply } from '../../../src/state/apply.ts';
import type { Command } from '../../../src/state/commands.ts';
import { cancel, FAILED, ended, I1, jobId, LOCAL, R1, START, submit, TestReplica } from '../builders.ts';

/** Makes a table say that it is full, without the hours that it takes to fill it. */
function fill(table: ReadonlyMap<unknown, unknown>, size: number): void {
  Object.defineProperty(table, 'size', { value: size });
}

function propose(replica: TestReplica, command: Command) {
  const proposal = { principal: LOCAL, origin: 'limits', sequence: 1, commands: [command] };
  return apply(replica.state, { at: START, proposals: [proposal] }, 1000).results[0]?.results;
}

const refused = (code: string, limit: string) => [
  expect.objectContaining({ ok: false, code, message: expect.stringContaining(limit) }),
];

describe('a full table refuses by name', () => {
  it('of live jobs: submissions and revivals', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { placement: { runner: R1, incarnation: I1 } }));
    replica.system(ended(1, 1, FAILED));
    const record = replica.job(1);
    fill(replica.state.jobs, LIMITS.liveJobs);
    expect(propose(replica, submit(2))).toEqual(refused('queueFull', 'liveJobs'));
    const retry = { kind: 'retry', job: jobId(1), record } as Command;
    const proposal = { principal: LOCAL, origin: 'limits', sequence: 2, commands: [retry] };
    expect(apply(replica.state, { at: START, proposals: [proposal] }, 1001).results[0]?.results).toEqual(
      refused('queueFull', 'liveJobs'),
    );
  });

  it('of idempotency keys, and takes no job with it', () => {
    const replica = TestReplica.founded();
    fill(replica.state.idempotency, LIMITS.idempotencyKeys);
    const keyed = submit(1, { idempotency: { key: 'k', bodyHash: 'h' } });
    expect(propose(replica, keyed)).toEqual(refused('tooManyRequests', 'idempotencyKeys'));
    expect(replica.state.jobs.size).toBe(0);
    expect(replica.state.cluster?.submissions).toBe(0);
  });

  it('of children of one job, detached ones too', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1));
    const counted: unknown[] = [];
    replica.state.relations.countChildrenOf = (parent) => {
      counted.push(parent);
      return LIMITS.liveChildren;
    };
    const child = submit(2, { spec: { parent: jobId(1), detach: true } });
    expect(propose(replica, child)).toEqual(refused('childLimit', 'liveChildren'));
    expect(counted).toEqual([jobId(1)]);
  });

  it('of attempts of one job', () => {
    const replica = TestReplica.founded();
    replica.local(submit(1), cancel(1));
    const attempt = { attempt: 1, runner: R1, incarnation: I1, assignedAt: START, startedAt: null, endedAt: START };
    const past = Array.from({ length: LIMITS.attempts }, (_, i) => ({ ...attempt, ...FAILED, attempt: i + 1 }));
    const record = { ...replica.job(1), past } as never;
    expect(propose(replica, { kind: 'retry', job: jobId(1), record })).toEqual(refused('wrongState', 'attempts'));
  });
});
