import { describe, expect, it } from 'vitest';
import { jobPrincipal } from '../../../src/auth.ts';
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
  started,
  submit,
  TestReplica,
} from '../builders.ts';

const childOf = (parent: number, n: number, some = {}) =>
  submit(n, { spec: { parent: jobId(parent), resources: { cpu: 0.1 }, ...some } });

/** With the job 1 running. */
function withParent(): TestReplica {
  const replica = TestReplica.withRunner();
  replica.local(submit(1));
  replica.system(assign(1, 1), started(1, 1));
  return replica;
}

describe('children of a job', () => {
  it('are cancelled with it, and theirs with them', () => {
    const replica = withParent();
    replica.local(childOf(1, 2), childOf(2, 3), childOf(3, 4), childOf(1, 5, { detach: true }));
    replica.system(assign(3, 1));
    replica.local(cancel(1));
    expect(replica.job(1)).toMatchObject({ state: 'running', cancel: { by: 'local' } });
    expect(replica.job(2)).toMatchObject({ state: 'cancelled', reason: `cancelled by its parent ${jobId(1)}` });
    expect(replica.job(3)).toMatchObject({ state: 'assigned', cancel: { by: `its parent ${jobId(2)}` } });
    expect(replica.job(4).state).toBe('cancelled');
    expect(replica.job(5).state).toBe('queued');
  });

  it('are cancelled so many an entry, also by a replica that started anew in between', () => {
    const replica = withParent();
    const many = 2 * FOLLOW_UPS_PER_ENTRY + 5;
    replica.local(...Array.from({ length: many }, (_, n) => childOf(1, n + 10)));
    replica.local(cancel(1));
    expect(replica.state.counts.queued).toBe(many - FOLLOW_UPS_PER_ENTRY);
    replica.reload();
    replica.pass(1);
    replica.pass(1);
    expect(replica.state.counts).toMatchObject({ queued: 0, running: 1 });
  });

  it('go on when it has ended by itself, and can still be cancelled by its id', () => {
    const replica = withParent();
    replica.local(childOf(1, 2));
    replica.system(ended(1, 1));
    expect(replica.job(2).state).toBe('queued');
    expect(replica.local(cancel(1))[0]).toMatchObject({ ok: true });
    expect(replica.job(2).state).toBe('cancelled');
    expect(replica.local(cancel(1))[0]).toMatchObject({ ok: false, code: 'alreadyFinal' });
  });

  it('are not cancelled when only what waits was to be', () => {
    const replica = withParent();
    replica.local(childOf(1, 2));
    expect(replica.local(cancel(1, 'queued'))[0]).toMatchObject({ ok: false, code: 'wrongState' });
    expect(replica.job(2).state).toBe('queued');
  });

  it('are refused when it is final, being cancelled, or unknown', () => {
    const replica = withParent();
    replica.local(submit(2), cancel(2), cancel(1));
    expect(replica.local(childOf(2, 3))[0]).toMatchObject({ ok: false, code: 'unknownParent', field: 'parent' });
    expect(replica.local(childOf(7, 3))[0]).toMatchObject({ ok: false, code: 'unknownParent', field: 'parent' });
    expect(replica.local(childOf(1, 3))[0]).toMatchObject({ ok: false, code: 'wrongState', field: 'parent' });
  });

  it('stand at most so deep below the first', () => {
    const replica = withParent();
    for (let depth = 1; depth <= LIMITS.childDepth; depth += 1) {
      expect(replica.local(childOf(depth, depth + 1))[0]).toMatchObject({ ok: true });
    }
    const tooDeep = replica.local(childOf(LIMITS.childDepth + 1, LIMITS.childDepth + 2))[0];
    expect(tooDeep).toMatchObject({ ok: false, code: 'childLimit', field: 'parent' });
  });
});

describe('the children that a job may have', () => {
  it('include those that stay when it is cancelled, for as long as they are not final', () => {
    const replica = withParent();
    replica.local(childOf(1, 2, { detach: true }), childOf(1, 3));
    expect(replica.state.relations.countChildrenOf(jobId(1))).toBe(2);
    replica.reload();
    expect(replica.state.relations.countChildrenOf(jobId(1))).toBe(2);
    replica.local(cancel(2));
    expect(replica.state.relations.countChildrenOf(jobId(1))).toBe(1);
  });
});

describe('a job with its own token', () => {
  const FORBIDDEN = { ok: false, code: 'forbidden' };
  const asJob = (n: number, attempt = 1) => jobPrincipal({ id: jobId(n), attempt });

  it('submits children of its own and no other job', () => {
    const replica = withParent();
    replica.local(submit(2));
    expect(replica.propose(asJob(1), [childOf(1, 3)])[0]).toMatchObject({ ok: true });
    expect(replica.job(3)).toMatchObject({ submittedBy: `job:${jobId(1)}`, depth: 1 });
    expect(replica.propose(asJob(1), [submit(4)])[0]).toMatchObject({ ...FORBIDDEN, field: 'parent' });
    expect(replica.propose(asJob(1), [childOf(2, 4)])[0]).toMatchObject({ ...FORBIDDEN, field: 'parent' });
  });

  it('does so while its attempt runs, and never again', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { spec: { retry: { max: 1, backoff: { initial: '0s' } } } }));
    const refused = { ok: false, code: 'unauthenticated' };
    expect(replica.propose(asJob(1), [childOf(1, 2)])[0]).toMatchObject(refused);
    replica.system(assign(1, 1), started(1, 1), ended(1, 1, FAILED));
    expect(replica.propose(asJob(1), [childOf(1, 3)])[0]).toMatchObject(refused);
    replica.system(assign(1, 2));
    expect(replica.propose(asJob(1, 1), [childOf(1, 4)])[0]).toMatchObject(refused);
    expect(replica.propose(asJob(1, 2), [childOf(1, 5)])[0]).toMatchObject({ ok: true });
  });

  it('cancels its children and those of nobody else', () => {
    const replica = withParent();
    replica.local(submit(2), childOf(1, 3), childOf(3, 4));
    expect(replica.propose(asJob(1), [cancel(2), cancel(1), cancel(4)])).toMatchObject([
      FORBIDDEN,
      FORBIDDEN,
      FORBIDDEN,
    ]);
    expect(replica.propose(asJob(1), [cancel(3)])[0]).toMatchObject({ ok: true });
  });

  it('makes groups, closes its own, and brings children into them and into the one that it is in', () => {
    const replica = TestReplica.withRunner();
    replica.local(createGroup(1), createGroup(2), submit(1, { spec: { group: groupId(1) } }));
    replica.system(assign(1, 1));
    replica.propose(asJob(1), [createGroup(3)]);
    const into = (n: number, group: number) => childOf(1, n, { group: groupId(group) });
    expect(replica.propose(asJob(1), [into(2, 1), into(3, 2), into(4, 3)])).toMatchObject([
      { ok: true },
      { ...FORBIDDEN, field: 'group' },
      { ok: true },
    ]);
    const close = (n: number) => ({ kind: 'closeGroup', id: groupId(n) }) as const;
    expect(replica.propose(asJob(1), [close(1), close(3)])).toMatchObject([FORBIDDEN, { ok: true }]);
  });

  it('lets them depend on itself and on each other, and on nothing that it may not see', () => {
    const replica = withParent();
    replica.local(submit(2), submit(3), childOf(1, 4), submit(8, { spec: { dependsOn: [{ job: jobId(3) }] } }));
    const after = (n: number, on: number) => childOf(1, n, { dependsOn: [{ job: jobId(on), on: 'finished' }] });
    const unknown = { ok: false, code: 'unknownDependency', field: 'dependsOn' };
    expect(replica.propose(asJob(1), [after(5, 4), after(6, 1), after(7, 2)])).toMatchObject([
      { ok: true },
      { ok: true },
      unknown,
    ]);
    // Whoever has a token of his own sees all jobs, and may submit for a parent.
    expect(replica.local(after(7, 2))[0]).toMatchObject({ ok: true });
    // The follow-up of an end tells as little, unless the job's node has read that it may.
    const told = { ...after(9, 3), outcomes: [{ job: jobId(3), state: 'cancelled' }] } as never;
    const both = [
      { principal: LOCAL, origin: 'local', sequence: 1, commands: [cancel(3)] },
      { principal: asJob(1), origin: 'job', sequence: 1, commands: [after(10, 3), told] },
    ];
    expect(replica.apply(both)).toMatchObject([[{ ok: true }], [unknown, { ok: true }]]);
  });

  it('does nothing else, whatever it says of itself', () => {
    const replica = withParent();
    const others = [
      { kind: 'drainRunner', runner: 'runner-1', mode: 'drain' },
      { kind: 'createToken', id: 't', name: 't', hash: 'h', scopes: [], expiresAt: null },
      { kind: 'clock' },
      assign(1, 1),
    ] as never[];
    for (const command of others) expect(replica.propose(asJob(1), [command])[0]).toMatchObject(FORBIDDEN);
    const unnamed = { ...LOCAL, kind: 'job' as const };
    expect(replica.propose(unnamed, [submit(9)])[0]).toMatchObject({ ok: false, code: 'unauthenticated' });
  });
});
