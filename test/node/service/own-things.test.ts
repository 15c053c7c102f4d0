import { describe, expect, it } from 'vitest';
import type { Named } from '../../../node/core.ts';
import { OwnThings } from '../../../node/service/own-things.ts';
import { type Identity, JOB_SCOPES, jobPrincipal } from '../../../src/auth.ts';
import type { JobId } from '../../../src/ids.ts';
import { assign, createGroup, ended, groupId, jobId, LOCAL, submit, TestReplica } from '../../src/builders.ts';

const asJob: Identity = { principal: jobPrincipal({ id: jobId(1), attempt: 1 }), scopes: JOB_SCOPES };

/** The job 1 runs in the group 1 and has made the group 2; 2 is its child, 3 the child of that, 4 of its group. */
function setUp() {
  const replica = TestReplica.withRunner();
  replica.local(createGroup(1), createGroup(3));
  const spec = { group: groupId(1), resources: { cpu: 0.1 } };
  replica.local(submit(1, { spec }), submit(4, { spec }));
  replica.system(assign(1, 1));
  replica.propose(asJob.principal, [createGroup(2)]);
  replica.local(submit(2, { spec: { parent: jobId(1) } }), submit(3, { spec: { parent: jobId(2) } }));
  const find = async (id: JobId) => {
    const n = [1, 2, 3, 4].find((known) => jobId(known) === id);
    return n === undefined ? null : replica.job(n);
  };
  const own = new OwnThings({ replica, jobs: { find } });
  const mayUse = (named: Named | null, identity = asJob) =>
    own.check(identity, named).then(
      () => true,
      (error: unknown) => {
        expect(error).toMatchObject({ code: 'forbidden' });
        return false;
      },
    );
  return { replica, mayUse };
}

describe('with its token a job may see', () => {
  it.each<[Named | null, boolean]>([
    [{ kind: 'new' }, true],
    [null, false],
    [{ kind: 'job', id: jobId(1) }, true],
    [{ kind: 'job', id: jobId(2) }, true],
    [{ kind: 'job', id: jobId(3) }, false],
    [{ kind: 'job', id: jobId(4) }, false],
    [{ kind: 'job', id: jobId(9) }, false],
    [{ kind: 'group', id: groupId(1) }, true],
    [{ kind: 'group', id: groupId(2) }, true],
    [{ kind: 'group', id: groupId(3) }, false],
    [{ kind: 'jobsOfGroup', id: groupId(1) }, false],
    [{ kind: 'jobsOfGroup', id: groupId(2) }, true],
    [{ kind: 'jobsOfGroup', id: groupId(3) }, false],
  ])('%j: %s', async (named, may) => {
    expect(await setUp().mayUse(named)).toBe(may);
  });

  it('a child that is final', async () => {
    const { replica, mayUse } = setUp();
    replica.system(assign(2, 1), ended(2, 1));
    expect(await mayUse({ kind: 'job', id: jobId(2) })).toBe(true);
  });
});

it('anyone else may name what they like', async () => {
  const { mayUse } = setUp();
  const local: Identity = { principal: LOCAL, scopes: ['admin'] };
  expect(await mayUse({ kind: 'job', id: jobId(4) }, local)).toBe(true);
  expect(await mayUse(null, local)).toBe(true);
});
