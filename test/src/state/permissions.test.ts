import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allows, type Scope, SCOPES } from '../../../src/auth.ts';
import type { NodeId, TokenId } from '../../../src/ids.ts';
import type { Command, CommandKind } from '../../../src/state/commands.ts';
import { RULES } from '../../../src/state/permissions.ts';
import {
  bearer,
  cancel,
  createToken,
  ended,
  I1,
  LOCAL,
  R1,
  createGroup,
  createSchedule,
  groupId,
  jobId,
  register,
  setQueue,
  START,
  started,
  submit,
  assign,
  TestReplica,
} from '../builders.ts';

const refused = (code: string) => expect.objectContaining({ ok: false, code });
const FORBIDDEN = refused('forbidden');

/** One well-formed command of each kind. */
const COMMANDS: Readonly<Record<CommandKind, Command>> = {
  submit: submit(1),
  assign: assign(1, 1),
  handBack: { kind: 'handBack', job: jobId(1), index: 1 },
  preempt: { kind: 'preempt', job: jobId(1), attempt: 1, placement: { runner: R1, incarnation: I1 }, victims: [] },
  started: started(1, 1),
  ended: ended(1, 1),
  cancel: cancel(1),
  retry: { kind: 'retry', job: submit(1).kind as never, record: null as never },
  createGroup: createGroup(1),
  closeGroup: { kind: 'closeGroup', id: groupId(1) },
  cancelGroup: { kind: 'cancelGroup', id: groupId(1) },
  createSchedule: createSchedule('nightly'),
  setSchedule: { kind: 'setSchedule', name: 'nightly', change: {} },
  deleteSchedule: { kind: 'deleteSchedule', name: 'nightly' },
  triggerSchedule: { kind: 'triggerSchedule', name: 'nightly', job: jobId(9) },
  planSchedule: { kind: 'planSchedule', name: 'nightly', revision: 1, after: START, next: null, problem: null },
  fireSchedule: {
    kind: 'fireSchedule',
    name: 'nightly',
    revision: 1,
    due: START,
    latest: START,
    next: null,
    missed: { count: 0, of: 'exact' },
    job: jobId(9),
  },
  setQueue: setQueue('nightly', { weight: 2 }),
  resetQueue: { kind: 'resetQueue', name: 'nightly' },
  registerRunner: register(R1, I1),
  loseRunner: { kind: 'loseRunner', runner: R1, incarnation: I1 },
  drainRunner: { kind: 'drainRunner', runner: R1, mode: 'drain' },
  purge: { kind: 'purge', jobs: [] },
  clock: { kind: 'clock' },
  announceNode: { kind: 'announceNode', node: 'n' as NodeId, addresses: [], http: null, version: '1' },
  wishMember: { kind: 'wishMember', node: 'n' as NodeId, wish: 'none' },
  setVoterPolicy: { kind: 'setVoterPolicy', voters: 5, replaceDead: null },
  forgetNode: { kind: 'forgetNode', node: 'n' as NodeId },
  createToken: createToken('new', []),
  revokeToken: { kind: 'revokeToken', id: 'none' as TokenId },
  createJoinToken: { kind: 'createJoinToken', id: 'j' as TokenId, hash: 'h', uses: 1, expiresAt: START + 1 },
  useJoinToken: {
    kind: 'useJoinToken',
    id: 'j' as TokenId,
    hash: 'h',
    node: 'n' as NodeId,
    addresses: [],
    version: '1',
  },
  createCluster: { kind: 'createCluster', clusterId: 'other', auth: 'required' },
  refoundCluster: { kind: 'refoundCluster', clusterId: 'other', keep: 'n' as NodeId },
};
const KINDS = (Object.keys(COMMANDS) as CommandKind[]).filter((kind) => kind !== 'retry');

/** A cluster that asks for tokens, with one for each list of scopes. */
function withTokens(tokens: Readonly<Record<string, readonly Scope[]>>): TestReplica {
  const replica = new TestReplica();
  replica.system(
    { kind: 'createCluster', clusterId: 'cluster', auth: 'required' },
    ...Object.entries(tokens).map(([name, scopes]) => createToken(name, scopes)),
  );
  return replica;
}

describe('a client', () => {
  it('needs the scope of the command, or admin, and may never do what is for the cluster itself', () => {
    fc.assert(
      fc.property(fc.subarray([...SCOPES]), fc.constantFrom(...KINDS), (scopes, kind) => {
        const replica = withTokens({ t: scopes });
        const [result] = replica.propose(bearer('t'), [COMMANDS[kind]]);
        const { scope } = RULES[kind];
        if (scope !== null && allows(scopes, scope)) expect(result).not.toEqual(FORBIDDEN);
        else expect(result).toEqual(FORBIDDEN);
      }),
    );
  });

  it('may do nothing with an empty list of scopes', () => {
    const replica = withTokens({ t: [] });
    for (const kind of KINDS) expect(replica.propose(bearer('t'), [COMMANDS[kind]])).toEqual([FORBIDDEN]);
  });

  it('is unknown without a token that the state holds, now', () => {
    const replica = withTokens({ admin: ['admin'] });
    expect(replica.propose(bearer('nobody'), [submit(1)])).toEqual([refused('unauthenticated')]);
    expect(replica.propose({ id: 'x', token: null, kind: 'token' }, [submit(1)])).toEqual([refused('unauthenticated')]);
    expect(replica.propose(LOCAL, [submit(1)])).toEqual([refused('unauthenticated')]);
    replica.propose(bearer('admin'), [{ kind: 'revokeToken', id: 'admin' as TokenId }]);
    expect(replica.propose(bearer('admin'), [submit(1)])).toEqual([refused('unauthenticated')]);
  });

  it('is told that its token has expired, by the time of the entry', () => {
    const replica = withTokens({ admin: ['admin'] });
    replica.propose(bearer('admin'), [createToken('t', ['jobs:write'], START + 1000)]);
    expect(replica.propose(bearer('t'), [submit(1)])).toMatchObject([{ ok: true }]);
    replica.at += 1000;
    expect(replica.propose(bearer('t'), [submit(2)])).toEqual([refused('tokenExpired')]);
    replica.pass(24 * 60 * 60 * 1000);
    expect(replica.propose(bearer('t'), [submit(2)])).toEqual([refused('unauthenticated')]);
  });

  it('is named by its token, whatever the proposal says', () => {
    const replica = withTokens({ alice: ['jobs:write'] });
    replica.propose(bearer('alice', 'token:bob'), [submit(1)]);
    expect(replica.job(1).submittedBy).toBe('token:alice');
  });

  it('has idempotency keys of its own', () => {
    const replica = withTokens({ alice: ['jobs:write'], bob: ['jobs:write'] });
    const keyed = (n: number) => submit(n, { idempotency: { key: 'k', bodyHash: 'h' } });
    replica.propose(bearer('alice'), [keyed(1)]);
    expect(replica.propose(bearer('bob'), [keyed(2)])[0]).not.toHaveProperty('existed');
  });

  it('on loopback needs no token where the cluster says so, and is still not the cluster', () => {
    const replica = TestReplica.founded('loopbackOpen');
    expect(replica.local(submit(1))).toMatchObject([{ ok: true }]);
    expect(replica.local(COMMANDS.clock)).toEqual([FORBIDDEN]);
  });
});

describe('delegation', () => {
  it('only narrows', () => {
    const scopes = fc.subarray([...SCOPES]);
    fc.assert(
      fc.property(scopes, scopes, (held, given) => {
        const scopesHeld = [...new Set<Scope>([...held, 'tokens:write'])];
        const replica = withTokens({ maker: scopesHeld });
        const [result] = replica.propose(bearer('maker'), [createToken('made', given)]);
        const mayGive = given.every((scope) => allows(scopesHeld, scope));
        expect(result?.ok).toBe(mayGive);
        expect(replica.state.tokens.has('made' as TokenId)).toBe(mayGive);
      }),
    );
  });

  it('does not outlive the token that delegates', () => {
    const replica = withTokens({ admin: ['admin'] });
    replica.propose(bearer('admin'), [createToken('maker', ['tokens:write'], START + 1000)]);
    expect(replica.propose(bearer('maker'), [createToken('a', [], null)])).toEqual([FORBIDDEN]);
    expect(replica.propose(bearer('maker'), [createToken('a', [], START + 1001)])).toEqual([FORBIDDEN]);
    expect(replica.propose(bearer('maker'), [createToken('a', [], START + 1000)])).toEqual([{ ok: true }]);
  });
});

describe('the cluster itself', () => {
  it('may do its own work and nothing of a client', () => {
    for (const kind of KINDS) {
      const replica = withTokens({ admin: ['admin'] });
      const [result] = replica.system(COMMANDS[kind]);
      if (RULES[kind].system === 'may') expect(result).not.toEqual(FORBIDDEN);
      else expect(result).toEqual(FORBIDDEN);
    }
  });

  it('makes tokens in the proposal that makes the cluster, and never after', () => {
    const replica = withTokens({ first: ['admin'], second: ['jobs:read'] });
    expect([...replica.state.tokens.keys()]).toEqual(['first', 'second']);
    const founding: Command = { kind: 'createCluster', clusterId: 'cluster', auth: 'required' };
    expect(replica.system(founding, createToken('third', ['admin']))).toEqual([{ ok: true }, FORBIDDEN]);
  });

  it('is one cluster', () => {
    const replica = TestReplica.founded();
    expect(replica.system(COMMANDS.createCluster)).toEqual([refused('wrongCluster')]);
    expect(replica.state.cluster?.clusterId).toBe('cluster');
  });

  it('takes no job before it is made', () => {
    const replica = new TestReplica();
    replica.system(createToken('t', ['admin']));
    expect(replica.propose(bearer('t'), [submit(1)])).toEqual([refused('wrongState')]);
  });
});

describe('the table', () => {
  it('lets a client hold no command of a runner or of the leader', () => {
    const own: CommandKind[] = [
      'assign',
      'handBack',
      'started',
      'ended',
      'registerRunner',
      'loseRunner',
      'clock',
      'useJoinToken',
    ];
    for (const kind of own) expect(RULES[kind]).toEqual({ scope: null, system: 'may' });
  });

  it('refuses a proposal whole when its principal is unknown', () => {
    const replica = withTokens({});
    replica.system(register(R1, I1));
    expect(replica.propose(bearer('x'), [submit(1), submit(2)])).toEqual([
      refused('unauthenticated'),
      refused('unauthenticated'),
    ]);
  });
});
