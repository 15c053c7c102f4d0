import { describe, expect, it, vi } from 'vitest';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import { LIMITS } from '../../../src/limits.ts';
import { FOLLOW_UPS_PER_ENTRY } from '../../../src/state/follow-ups.ts';
import {
  assign,
  cancel,
  createGroup,
  ended,
  FAILED,
  groupId,
  jobId,
  LOCAL,
  START,
  started,
  submit,
  TestReplica,
} from '../builders.ts';

const inGroup = (n: number, group = 1) => submit(n, { spec: { group: groupId(group), resources: { cpu: 0.1 } } });
const close = { kind: 'closeGroup', id: groupId(1) } as const;
const cancelAll = { kind: 'cancelGroup', id: groupId(1) } as const;

function states(replica: TestReplica, ...jobs: readonly number[]): string[] {
  return jobs.map((n) => replica.job(n).state);
}

describe('a group', () => {
  it('counts its jobs by state', () => {
    const replica = TestReplica.withRunner();
    replica.local(createGroup(1), inGroup(1), inGroup(2), inGroup(3));
    replica.system(assign(1, 1), assign(2, 1), started(1, 1), ended(1, 1));
    expect(replica.group(1)).toMatchObject({
      state: 'open',
      counts: { succeeded: 1, assigned: 1, queued: 1, running: 0, waiting: 0 },
    });
  });

  it('takes jobs until it is closed, and is finished when all of them are final', () => {
    const replica = TestReplica.withRunner();
    replica.local(createGroup(1), inGroup(1), close);
    expect(replica.group(1).state).toBe('closed');
    expect(replica.local(inGroup(2))[0]).toMatchObject({ ok: false, code: 'groupClosed', field: 'group' });
    replica.system(assign(1, 1), ended(1, 1));
    expect(replica.group(1)).toMatchObject({ state: 'finished', finishedAt: replica.at });
  });

  it('without jobs is finished when it is closed', () => {
    const replica = TestReplica.withRunner();
    replica.local(createGroup(1), close);
    expect(replica.group(1).state).toBe('finished');
  });

  it('that no one made takes no jobs', () => {
    const replica = TestReplica.withRunner();
    expect(replica.local(inGroup(1))[0]).toMatchObject({ ok: false, code: 'unknownGroup', field: 'group' });
  });

  it('takes jobs of its project alone', () => {
    const replica = TestReplica.withRunner();
    replica.local(createGroup(1, { project: 'web' }));
    const [other] = replica.local(inGroup(1));
    expect(other).toMatchObject({ ok: false, code: 'wrongProject', field: 'project' });
    expect(other).toHaveProperty('message', expect.stringMatching(/ the project web, the job of default/));
    expect(replica.local(submit(1, { spec: { group: groupId(1), project: 'web' } }))[0]).toMatchObject({ ok: true });
  });

  it('is no longer finished when one of its jobs is tried again', () => {
    const replica = TestReplica.withRunner();
    replica.local(createGroup(1), inGroup(1), close);
    replica.system(assign(1, 1), ended(1, 1, FAILED));
    replica.local({ kind: 'retry', job: jobId(1), record: replica.job(1) as never });
    expect(replica.group(1)).toMatchObject({ state: 'closed', counts: { failed: 0, queued: 1 } });
  });

  it('is forgotten some time after it has finished', () => {
    const replica = TestReplica.withRunner();
    replica.local(createGroup(1), close);
    replica.pass(LIMITS.groupTtlMs - 1);
    expect(replica.state.groups.size).toBe(1);
    replica.pass(1);
    expect(replica.state.groups.size).toBe(0);
  });

  it('is cancelled as a whole, so many jobs an entry', () => {
    const replica = TestReplica.withRunner();
    const many = FOLLOW_UPS_PER_ENTRY + 10;
    replica.local(createGroup(1), ...Array.from({ length: many }, (_, n) => inGroup(n)));
    replica.system(assign(0, 1), started(0, 1));
    replica.local(cancelAll);
    expect(replica.group(1).counts.cancelled).toBe(FOLLOW_UPS_PER_ENTRY - 1);
    expect(replica.local(inGroup(many))[0]).toMatchObject({ code: 'groupClosed' });
    replica.reload();
    replica.pass(1);
    expect(replica.group(1)).toMatchObject({ state: 'closed', counts: { cancelled: many - 1, running: 1 } });
    expect(replica.job(0)).toMatchObject({ state: 'running', cancel: { by: 'local' } });
    replica.system(ended(0, 1));
    expect(replica.group(1)).toMatchObject({ state: 'finished', counts: { cancelled: many } });
  });

  it('cancels the others at the first failure if it was made so', () => {
    const replica = TestReplica.withRunner();
    replica.local(createGroup(1, { onFailure: 'cancel' }), inGroup(1), inGroup(2), inGroup(3));
    replica.system(assign(1, 1), assign(2, 1), ended(1, 1, FAILED));
    expect(states(replica, 1, 2, 3)).toEqual(['failed', 'assigned', 'cancelled']);
    expect(replica.job(2)).toMatchObject({ cancel: { by: `the end of ${jobId(1)}` } });
    expect(replica.group(1)).toMatchObject({ state: 'closed', cancelled: { by: `the end of ${jobId(1)}` } });
  });
});

describe('a group with an idempotency key', () => {
  const keyed = (n: number, bodyHash = 'hash') =>
    ({ ...createGroup(n), idempotency: { key: 'k', bodyHash } }) as ReturnType<typeof createGroup>;
  const conflict = { ok: false, code: 'idempotencyConflict', field: 'Idempotency-Key' };

  it('is made once, and after a reload too', () => {
    const replica = TestReplica.withRunner();
    expect(replica.local(keyed(1))).toEqual([{ ok: true, group: groupId(1) }]);
    replica.reload();
    expect(replica.local(keyed(2))).toEqual([{ ok: true, group: groupId(1), existed: true }]);
    expect([...replica.state.groups.keys()]).toEqual([groupId(1)]);
    expect(replica.local(keyed(3, 'other'))[0]).toMatchObject(conflict);
  });

  it('is another thing than a job under the same key, whatever is written in both', () => {
    const replica = TestReplica.withRunner();
    const job = submit(1, { idempotency: { key: 'k', bodyHash: 'hash' } });
    replica.local(job);
    expect(replica.local(keyed(1))[0]).toMatchObject(conflict);
    replica.pass(LIMITS.idempotencyTtlMs);
    replica.local(keyed(1));
    expect(replica.local(submit(2, { idempotency: { key: 'k', bodyHash: 'hash' } }))[0]).toMatchObject(conflict);
  });

  it('is the answer to a proposal that comes twice', () => {
    const replica = TestReplica.withRunner();
    replica.local(keyed(1));
    const again = { principal: LOCAL, origin: 'node', sequence: 1, commands: [keyed(2)] };
    const answer = [[{ ok: true, group: groupId(1), existed: true }]];
    expect(replica.apply([again])).toEqual(answer);
    expect(replica.apply([again])).toEqual(answer);
  });
});

describe('a job of a cancelled group', () => {
  const MANY = FOLLOW_UPS_PER_ENTRY + 10;
  const LATE = MANY + 1;

  /** So many jobs are in it that the follow-up does not come to the last one with the entry that cancels it. */
  function withMany(late: Partial<JobSpec>, maxRunning: number | null = null): TestReplica {
    const replica = TestReplica.withRunner();
    replica.local(createGroup(1, { maxRunning }), submit(0, { spec: { resources: { cpu: 0.1 } } }));
    replica.local(...Array.from({ length: MANY }, (_, n) => inGroup(n + 1)));
    replica.local(submit(LATE, { spec: { group: groupId(1), resources: { cpu: 0.1 }, ...late } }));
    return replica;
  }

  it('is not let through its gate by those before it that the same entry cancels', () => {
    const replica = withMany({}, 1);
    replica.local(cancelAll);
    expect(replica.state.counts).toMatchObject({ queued: 1, waiting: 11 });
    replica.pass(1);
    expect(replica.group(1)).toMatchObject({ state: 'finished', counts: { cancelled: MANY + 1 } });
  });

  it.each<[string, Partial<JobSpec>, (replica: TestReplica) => void]>([
    [
      'what it waited for has come',
      { dependsOn: [{ job: jobId(0) }] },
      (replica) => replica.system(assign(0, 1), ended(0, 1)),
    ],
    ['its time has come', { notBefore: new Date(START + 1).toISOString() }, (replica) => replica.pass(1)],
    [
      'it is to be tried again',
      { retry: { max: 1, backoff: { initial: '0s' } } },
      (replica) => replica.system(ended(LATE, 1, FAILED)),
    ],
  ])('is cancelled instead of queued when %s', (_when, late, happen) => {
    const replica = withMany(late);
    if (late.retry !== undefined) replica.system(assign(LATE, 1), started(LATE, 1));
    replica.local(cancelAll);
    const queued = vi.spyOn(replica.state.queue, 'add');
    happen(replica);
    expect(queued.mock.calls.map(([job]) => job.id)).not.toContain(jobId(LATE));
    expect(replica.job(LATE)).toMatchObject({ state: 'cancelled', reason: 'cancelled by local' });
  });

  it('takes the jobs that it submitted with it', () => {
    const replica = withMany({ dependsOn: [{ job: jobId(0) }] });
    replica.local(submit(LATE + 1, { spec: { parent: jobId(LATE) } }));
    replica.local(cancelAll);
    replica.system(assign(0, 1), ended(0, 1));
    while (replica.state.followUps.size > 0) replica.pass(1);
    expect(states(replica, LATE, LATE + 1)).toEqual(['cancelled', 'cancelled']);
  });

  it('that a client has tried again runs all the same, until the group is cancelled once more', () => {
    const replica = withMany({});
    replica.local(cancel(LATE));
    replica.local(cancelAll);
    replica.local({ kind: 'retry', job: jobId(LATE), record: replica.job(LATE) as never });
    while (replica.state.followUps.size > 0) replica.pass(1);
    expect(replica.job(LATE).state).toBe('queued');
    replica.local(cancelAll);
    expect(replica.job(LATE).state).toBe('cancelled');
  });
});

describe('a group with a limit on how many run', () => {
  it('lets through so many, and the next in order whenever one is final', () => {
    const replica = TestReplica.withRunner();
    replica.local(createGroup(1, { maxRunning: 2 }), inGroup(1), inGroup(2), inGroup(3));
    const urgent = { group: groupId(1), priority: 90, resources: { cpu: 0.1 } };
    replica.local(submit(4, { spec: urgent }));
    expect(states(replica, 1, 2, 3, 4)).toEqual(['queued', 'queued', 'waiting', 'waiting']);
    expect(replica.job(3)).toMatchObject({ why: 'group' });
    replica.system(assign(1, 1), ended(1, 1));
    expect(states(replica, 2, 3, 4)).toEqual(['queued', 'waiting', 'queued']);
    replica.local(cancel(2));
    expect(states(replica, 3, 4)).toEqual(['queued', 'queued']);
  });

  it('lets the next through while one waits to be tried again', () => {
    const replica = TestReplica.withRunner();
    replica.local(createGroup(1, { maxRunning: 1 }));
    const retried = { group: groupId(1), retry: { max: 1, backoff: { initial: '1s' } } };
    replica.local(submit(1, { spec: retried }), inGroup(2));
    replica.system(assign(1, 1), ended(1, 1, FAILED));
    expect(states(replica, 1, 2)).toEqual(['waiting', 'queued']);
    replica.pass(1000);
    expect(replica.job(1)).toMatchObject({ state: 'waiting', why: 'group' });
    replica.system(assign(2, 1), ended(2, 1));
    expect(replica.job(1).state).toBe('queued');
  });
});

describe('a resource group', () => {
  const deploy = (n: number, some = {}) => submit(n, { spec: { resourceGroup: 'deploy', ...some } });

  it('lets one job at a time be queued or run, in order', () => {
    const replica = TestReplica.withRunner();
    replica.local(deploy(1), deploy(2), deploy(3, { priority: 99 }), deploy(4, { project: 'another' }));
    expect(states(replica, 1, 2, 3, 4)).toEqual(['queued', 'waiting', 'waiting', 'queued']);
    replica.system(assign(1, 1), ended(1, 1));
    expect(states(replica, 2, 3)).toEqual(['waiting', 'queued']);
    replica.reload();
    replica.system(assign(3, 1), ended(3, 1));
    expect(states(replica, 2)).toEqual(['queued']);
  });

  it('takes no memory once none of its jobs is left, and none for being looked at', () => {
    const replica = TestReplica.withRunner();
    replica.local(deploy(1), deploy(2));
    replica.local(cancel(1), cancel(2));
    replica.state.relations.passagesOf(replica.job(1).plan);
    expect(replica.state.relations.gates.size).toBe(0);
  });

  it('is not held by a job that waits for something else', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1), deploy(2, { dependsOn: [{ job: jobId(1) }] }), deploy(3));
    expect(states(replica, 2, 3)).toEqual(['waiting', 'queued']);
  });

  it('comes before the limit of a group', () => {
    const replica = TestReplica.withRunner();
    replica.local(createGroup(1, { maxRunning: 1 }), inGroup(1), deploy(2, { group: groupId(1) }), deploy(3));
    expect(replica.job(2)).toMatchObject({ state: 'waiting', why: 'group' });
    expect(replica.job(3)).toMatchObject({ state: 'waiting', why: 'resourceGroup' });
    replica.system(assign(1, 1), ended(1, 1));
    expect(states(replica, 2, 3)).toEqual(['queued', 'waiting']);
  });

  it('goes on with the next when the one whose turn it is is lost with its runner', () => {
    const replica = TestReplica.withRunner();
    replica.local(deploy(1, { retry: 'never' }), deploy(2));
    replica.system(assign(1, 1), {
      kind: 'loseRunner',
      runner: 'runner-1' as never,
      incarnation: 'incarnation-1' as never,
    });
    expect(states(replica, 1, 2)).toEqual(['lost', 'queued']);
  });
});
