import { describe, expect, it } from 'vitest';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import { FOLLOW_UPS_PER_ENTRY } from '../../../src/state/follow-ups.ts';
import { assign, cancel, ended, FAILED, jobId, picture, submit, TestReplica } from '../builders.ts';

const AWAITED = 8;
const LAST = 9_000;

function after(on: 'succeeded' | 'finished', ...jobs: readonly number[]): Partial<JobSpec> {
  return { dependsOn: jobs.map((n) => ({ job: jobId(n), on })) };
}

/** Eight jobs, and one that waits for the end of all of them. */
function withOneWaiting(): TestReplica {
  const replica = TestReplica.withRunner();
  const awaited = Array.from({ length: AWAITED }, (_, n) => n);
  replica.local(...awaited.map((n) => submit(n)), submit(LAST, { spec: after('finished', ...awaited) }));
  return replica;
}

function missing(replica: TestReplica, n = LAST): readonly string[] {
  const job = replica.job(n);
  return 'missing' in job ? job.missing : [];
}

/** Whether the last entry wrote this job. */
function isWritten(replica: TestReplica, n = LAST): boolean {
  return replica.last.changes.some(({ table, key }) => table === 'job' && key === jobId(n));
}

/** A replica that starts anew knows what the others know. */
function expectSameAfterReload(replica: TestReplica): void {
  const before = picture(replica.state);
  replica.reload();
  expect(picture(replica.state)).toEqual(before);
}

describe('a job that waits for many', () => {
  it('is written when half of them have ended, and half of the rest, and not in between', () => {
    const replica = withOneWaiting();
    const written: number[] = [];
    for (let n = 0; n < AWAITED; n += 1) {
      replica.local(cancel(n));
      expect(missing(replica)).toHaveLength(AWAITED - 1 - n);
      if (isWritten(replica)) written.push(AWAITED - 1 - n);
      expectSameAfterReload(replica);
    }
    expect(written).toEqual([4, 2, 1, 0]);
    expect(replica.job(LAST).state).toBe('queued');
  });

  it('may be told of an end by the entry that submits it', () => {
    const replica = withOneWaiting();
    replica.local(submit(LAST + 1, { spec: after('finished', 0, 1, 2, 3) }), cancel(0));
    expect(missing(replica, LAST + 1)).toHaveLength(3);
    expectSameAfterReload(replica);
  });

  it('knows after a reload which of many follow-ups have come to it', () => {
    const replica = withOneWaiting();
    const many = Array.from({ length: FOLLOW_UPS_PER_ENTRY + 10 }, (_, n) => LAST + 1 + n);
    replica.local(...many.map((n) => submit(n, { spec: after('finished', 0, 1, 2, 3, 4, 5) })));
    replica.local(cancel(0), cancel(1));
    expect(missing(replica, many[0])).toHaveLength(5);
    expect(missing(replica, many.at(-1))).toHaveLength(6);
    expectSameAfterReload(replica);
    while (replica.state.followUps.size > 0) {
      replica.pass(1);
      expectSameAfterReload(replica);
    }
    expect(missing(replica, many.at(-1))).toHaveLength(4);
  });

  it('does not wait anew for one that is tried again, before and after that has ended once more', () => {
    const replica = withOneWaiting();
    replica.system(assign(1, 1), ended(1, 1, FAILED));
    expect([missing(replica).length, isWritten(replica)]).toEqual([7, false]);
    replica.local({ kind: 'retry', job: jobId(1), record: replica.job(1) as never });
    expectSameAfterReload(replica);
    expect(missing(replica)).not.toContain(jobId(1));
    const many = Array.from({ length: FOLLOW_UPS_PER_ENTRY }, (_, n) => LAST + 2 + n);
    replica.local(submit(LAST + 1, { spec: after('finished', 1) }));
    replica.local(...many.map((n) => submit(n, { spec: after('finished', 0) })));
    // The follow-up of the one leaves nothing of this entry to that of the other.
    replica.local(cancel(0), cancel(1));
    expect(replica.state.followUps.size).toBe(2);
    expectSameAfterReload(replica);
    expect(missing(replica)).not.toContain(jobId(1));
  });

  it('tells of a bad end at once, however many others are left', () => {
    const replica = withOneWaiting();
    replica.local(submit(LAST + 1, { spec: after('succeeded', 0, 1, 2, 3, 4, 5) }), cancel(0));
    expect(replica.job(LAST + 1)).toMatchObject({
      state: 'cancelled',
      reason: `the job ${jobId(0)}, which it depends on, ended as cancelled`,
    });
    expectSameAfterReload(replica);
  });
});
