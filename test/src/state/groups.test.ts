import { describe, expect, it } from 'vitest';
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
