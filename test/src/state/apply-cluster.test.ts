import { describe, expect, it } from 'vitest';
import type { NodeId, TokenId } from '../../../src/ids.ts';
import { LIMITS } from '../../../src/limits.ts';
import type { Command } from '../../../src/state/commands.ts';
import { replaceDeadAfterMs, voterPolicyOf } from '../../../src/state/voter-policy.ts';
import {
  amounts,
  assign,
  createToken,
  ended,
  ending,
  FAILED,
  I1,
  I2,
  R1,
  R2,
  register,
  START,
  submit,
  TestReplica,
} from '../builders.ts';

const OK = { ok: true };
const refused = (code: string) => expect.objectContaining({ ok: false, code });
const lose: Command = { kind: 'loseRunner', runner: R1, incarnation: I1 };
const placement = { runner: R1, incarnation: I1 };

describe('a runner that comes back under another incarnation', () => {
  it('loses what the one before held, in the same entry, and the jobs are queued again', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { placement }));
    replica.system(register(R1, I2));
    expect(replica.job(1)).toMatchObject({ state: 'queued', past: [{ attempt: 1, outcome: 'lost', incarnation: I1 }] });
    expect(replica.system(ended(1, 1))).toEqual([refused('staleAttempt')]);
    expect(replica.system(assign(1, 2), assign(1, 2, R1, I2))).toEqual([refused('staleRunner'), OK]);
  });

  it('keeps what runs when it only registers again, with other amounts', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { placement }));
    replica.at += 1;
    replica.system(register(R1, I1, amounts({ cpuMilli: 500 })));
    expect(replica.job(1).state).toBe('assigned');
    replica.local(submit(2, { placement, spec: { resources: { cpu: 0 } } }));
    expect(replica.job(2).state).toBe('queued');
    replica.system(ended(1, 1));
    expect(replica.state.allocations.get(R1)?.free).toEqual(amounts({ cpuMilli: 500 }));
  });

  it('stays draining', () => {
    const replica = TestReplica.withRunner();
    replica.local({ kind: 'drainRunner', runner: R1, mode: 'drain' });
    replica.system(register(R1, I2));
    expect(replica.state.runners.get(R1)?.state).toBe('draining');
  });
});

describe('loseRunner', () => {
  it('counts lost attempts apart from failed ones, up to lostMax', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { spec: { retry: { max: 1, lostMax: 2, backoff: { initial: '0s' } } } }));
    for (const attempt of [1, 2]) {
      replica.system(register(R1, I1), assign(1, attempt), lose);
      expect(replica.job(1).state).toBe('queued');
    }
    replica.system(register(R1, I1), assign(1, 3), ended(1, 3, FAILED));
    expect(replica.job(1).state).toBe('queued');
    replica.system(assign(1, 4), lose);
    expect(replica.job(1)).toMatchObject({ state: 'lost', reason: expect.stringContaining('lease') });
  });

  it('ends a job that must never be tried twice', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { placement, spec: { retry: 'never' } }));
    replica.system(lose);
    expect(replica.job(1).state).toBe('lost');
  });

  it('is refused for an incarnation that is not current, and repeats without effect', () => {
    const replica = TestReplica.withRunner();
    expect(replica.system({ ...lose, incarnation: I2 }, { ...lose, runner: R2 })).toEqual([
      refused('staleRunner'),
      refused('unknownRunner'),
    ]);
    replica.system(lose);
    expect(replica.system(lose)).toEqual([OK]);
    expect(replica.last.events).toEqual([]);
  });

  it('lets the same incarnation come back, empty', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { placement }));
    replica.system(lose, register(R1, I1), assign(1, 2));
    expect(replica.job(1)).toMatchObject({ state: 'assigned', current: { attempt: 2 } });
    expect(replica.system(ended(1, 1))).toEqual([refused('staleAttempt')]);
  });
});

describe('a draining runner', () => {
  it('finishes what it has and gets nothing new, by nobody', () => {
    const replica = TestReplica.withRunner();
    replica.local(
      submit(1, { placement }),
      { kind: 'drainRunner', runner: R1, mode: 'drain' },
      submit(2, { placement }),
    );
    expect(replica.job(2).state).toBe('queued');
    expect(replica.system(assign(2, 1))).toEqual([refused('wrongState')]);
    expect(replica.system(ended(1, 1, ending()))).toEqual([OK]);
    replica.local({ kind: 'drainRunner', runner: R1, mode: 'undrain' });
    expect(replica.system(assign(2, 1))).toEqual([OK]);
  });

  it('is told apart from a lost or an unknown one', () => {
    const replica = TestReplica.withRunner();
    replica.system(lose);
    const drain = (runner: NodeId): Command => ({ kind: 'drainRunner', runner, mode: 'drain' });
    expect(replica.local(drain(R1), drain(R2))).toEqual([refused('wrongState'), refused('notFound')]);
  });
});

describe('forgetNode', () => {
  it('takes the runner and its attempts with it', () => {
    const replica = TestReplica.withRunner();
    replica.system({ kind: 'announceNode', node: R1, addresses: ['/a'], http: null, version: '1' });
    replica.local(submit(1, { placement }));
    replica.local({ kind: 'forgetNode', node: R1 });
    expect(replica.state.runners.size + replica.state.nodes.size).toBe(0);
    expect(replica.job(1)).toMatchObject({ state: 'queued', past: [{ outcome: 'lost' }] });
    expect(replica.last.events.map(({ kind }) => kind)).toEqual(['job', 'runner', 'node']);
    expect(replica.disk.get(`runner ${R1}`)?.value).toBe(null);
  });

  it('is for good: what the node still says, or says again, is refused', () => {
    const replica = TestReplica.withRunner();
    const announce: Command = { kind: 'announceNode', node: R1, addresses: ['/a'], http: null, version: '1' };
    replica.system(announce, { kind: 'forgetNode', node: R1 });
    replica.local({ kind: 'createJoinToken', id: 'j' as TokenId, hash: 'h', uses: 1, expiresAt: START + 1000 });
    replica.reload();
    const join: Command = {
      kind: 'useJoinToken',
      id: 'j' as TokenId,
      hash: 'h',
      node: R1,
      addresses: ['/a'],
      version: '1',
    };
    const gone = refused('memberRemoved');
    expect(replica.system(announce, register(R1, I2), join)).toEqual([gone, gone, gone]);
    expect(replica.state.joinTokens.get('j' as TokenId)?.usedBy).toEqual([]);
    expect(replica.system({ ...announce, node: R2 })).toEqual([OK]);
  });
});

describe('wishMember', () => {
  const announce: Command = { kind: 'announceNode', node: R1, addresses: ['/a'], http: null, version: '1' };
  const wish = (what: 'voter' | 'learner' | 'leave' | 'none'): Command => ({
    kind: 'wishMember',
    node: R1,
    wish: what,
  });

  it('is kept when the node tells its addresses anew, until it is taken back', () => {
    const replica = TestReplica.founded();
    replica.system(announce);
    replica.local(wish('learner'));
    replica.system({ ...announce, addresses: ['/b'] });
    replica.reload();
    expect(replica.state.nodes.get(R1)).toMatchObject({ addresses: ['/b'], wish: 'learner' });
    replica.local(wish('none'));
    expect(replica.state.nodes.get(R1)).not.toHaveProperty('wish');
  });

  it('gives a runner that is to leave no more jobs', () => {
    const replica = TestReplica.withRunner();
    replica.system(announce);
    replica.local(wish('leave'), submit(1, { placement }));
    expect(replica.state.runners.get(R1)?.state).toBe('draining');
    expect(replica.job(1).state).toBe('queued');
  });

  it('is refused for a node that is not known', () => {
    const replica = TestReplica.withRunner();
    expect(replica.local(wish('leave'))).toEqual([refused('notFound')]);
  });
});

describe('setVoterPolicy', () => {
  it('changes what it names and leaves the rest', () => {
    const replica = TestReplica.founded();
    expect(voterPolicyOf(replica.state)).toEqual({ voters: 3, replaceDead: 'automatic' });
    replica.local({ kind: 'setVoterPolicy', voters: 5, replaceDead: null });
    replica.local({ kind: 'setVoterPolicy', voters: null, replaceDead: 60_000 });
    replica.reload();
    expect(voterPolicyOf(replica.state)).toEqual({ voters: 5, replaceDead: 60_000 });
  });

  it.each([0, 2, 4, 9, -1, 1.5, '3'])('takes no %s voters', (voters) => {
    const replica = TestReplica.founded();
    const command = { kind: 'setVoterPolicy', voters, replaceDead: null } as unknown as Command;
    expect(replica.local(command)).toEqual([refused('invalidRequest')]);
  });

  it('by default replaces dead voters only where more than three vote', () => {
    const automatic = { voters: 5, replaceDead: 'automatic' } as const;
    expect([1, 3].map((voters) => replaceDeadAfterMs(automatic, voters))).toEqual([null, null]);
    expect(replaceDeadAfterMs(automatic, 5)).toBe(600_000);
    expect(replaceDeadAfterMs({ voters: 5, replaceDead: 'never' }, 5)).toBe(null);
    expect(replaceDeadAfterMs({ voters: 3, replaceDead: 1 }, 3)).toBe(1);
  });
});

describe('refoundCluster', () => {
  const refound: Command = { kind: 'refoundCluster', clusterId: 'another', keep: R2 };
  const announce = (node: NodeId): Command => ({
    kind: 'announceNode',
    node,
    addresses: ['/a'],
    http: null,
    version: '1',
  });

  it('gives the state another id and leaves one node in it, with its runner and what runs there', () => {
    const replica = TestReplica.withRunner();
    replica.system(announce(R1), announce(R2), register(R2, I2));
    replica.local(
      submit(1, { placement }),
      submit(2, { placement: { runner: R2, incarnation: I2 } }),
      createToken('t', []),
    );
    replica.local({ kind: 'createJoinToken', id: 'j' as TokenId, hash: 'h', uses: 1, expiresAt: START + 1000 });
    expect(replica.system(refound)).toEqual([OK]);
    expect(replica.state.cluster).toMatchObject({ clusterId: 'another', submissions: 2 });
    expect([...replica.state.nodes.keys(), ...replica.state.runners.keys()]).toEqual([R2, R2]);
    expect(replica.job(1)).toMatchObject({ state: 'queued', past: [{ outcome: 'lost' }] });
    expect(replica.job(2)).toMatchObject({ state: 'assigned', past: [] });
    expect([replica.state.tokens.size, replica.state.joinTokens.size]).toEqual([1, 0]);
    expect(replica.system(announce(R1))).toEqual([refused('memberRemoved')]);
    const before = replica.state;
    replica.reload();
    expect(replica.state.cluster).toEqual(before.cluster);
    expect([...replica.state.nodes.keys(), ...replica.state.joinTokens.keys()]).toEqual([R2]);
  });

  it('takes the node that stays back when it was removed, and forgets what was wished of it', () => {
    const replica = TestReplica.founded();
    replica.system(announce(R2));
    replica.local({ kind: 'forgetNode', node: R2 });
    replica.system(refound);
    expect(replica.system(announce(R2))).toEqual([OK]);
    replica.reload();
    expect(replica.system(announce(R2))).toEqual([OK]);
  });

  it('takes it back also in the entry that removed it', () => {
    const replica = TestReplica.founded();
    replica.system(announce(R2));
    expect(replica.system({ kind: 'forgetNode', node: R2 }, refound, announce(R2))).toEqual([OK, OK, OK]);
    expect(replica.state.removed.size).toBe(0);
    replica.reload();
    expect([...replica.state.nodes.keys()]).toEqual([R2]);
  });

  it('ends the attempts of others in the order of their ids, however the nodes came', () => {
    const attempts = [submit(1, { placement: { runner: R2, incarnation: I2 } }), submit(2, { placement })];
    const lost = [[register(R1, I1), register(R2, I2)] as const, [register(R2, I2), register(R1, I1)] as const].map(
      (runners) => {
        const replica = TestReplica.founded();
        replica.system(...runners);
        replica.local(...attempts);
        replica.system({ ...refound, keep: 'stays' as NodeId });
        return replica.last.events.flatMap((event) => (event.kind === 'job' ? [event.job.id] : []));
      },
    );
    expect(lost[0]).toHaveLength(2);
    expect(lost[0]).toEqual(lost[1]);
  });

  it('is refused where there is no cluster', () => {
    expect(new TestReplica().system(refound)).toEqual([refused('wrongState')]);
  });
});

describe('join tokens', () => {
  const use = (node: string, some: Partial<Extract<Command, { kind: 'useJoinToken' }>> = {}): Command => ({
    kind: 'useJoinToken',
    id: 'j' as TokenId,
    hash: 'h',
    node: node as NodeId,
    addresses: ['/a'],
    version: '1',
    ...some,
  });
  const withToken = (uses: number): TestReplica => {
    const replica = TestReplica.founded();
    replica.local({ kind: 'createJoinToken', id: 'j' as TokenId, hash: 'h', uses, expiresAt: START + 1000 });
    return replica;
  };

  it('let as many nodes in as they say, and each of them again', () => {
    const replica = withToken(2);
    expect(replica.system(use('a'), use('b'), use('a'), use('c'))).toEqual([OK, OK, OK, refused('tokenUsedUp')]);
    expect([...replica.state.nodes.keys()]).toEqual(['a', 'b']);
  });

  it('are refused with another secret, when unknown, revoked or expired', () => {
    const replica = withToken(5);
    expect(replica.system(use('a', { hash: 'x' }), use('a', { id: 'k' as TokenId }))).toEqual([
      refused('joinRefused'),
      refused('joinRefused'),
    ]);
    replica.system(use('a'));
    replica.at += 1000;
    expect(replica.system(use('b'), use('a'))).toEqual([refused('tokenExpired'), OK]);
    replica.local({ kind: 'revokeToken', id: 'j' as TokenId });
    expect(replica.system(use('a'))).toEqual([refused('joinRefused')]);
  });

  it('leave the state some time after they expired', () => {
    const replica = withToken(1);
    replica.pass(1000 + 24 * 60 * 60 * 1000);
    expect(replica.state.joinTokens.size).toBe(0);
  });

  it('have a limit of uses', () => {
    const command = { kind: 'createJoinToken', id: 'k' as TokenId, hash: 'h', expiresAt: START } as const;
    expect(TestReplica.founded().local({ ...command, uses: LIMITS.joinTokenUses + 1 })).toEqual([refused('tooLarge')]);
  });
});

describe('tokens', () => {
  it('are made once under one id', () => {
    const replica = TestReplica.founded();
    expect(replica.local(createToken('t', []), createToken('t', []))).toEqual([OK, OK]);
    expect(replica.local({ ...createToken('t', []), hash: 'other' } as Command)).toEqual([refused('conflict')]);
  });

  it('are told to others when they come and go', () => {
    const replica = TestReplica.founded();
    replica.local(createToken('t', []));
    expect(replica.last.events).toMatchObject([{ kind: 'token', id: 't', token: { name: 't' } }]);
    replica.local({ kind: 'revokeToken', id: 't' as TokenId });
    expect(replica.last.events).toEqual([{ kind: 'token', id: 't', token: null }]);
    expect(replica.local({ kind: 'revokeToken', id: 't' as TokenId })).toEqual([refused('notFound')]);
  });
});
