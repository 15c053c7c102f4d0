import { describe, expect, it } from 'vitest';
import type { Configuration } from '../../../raft/types.ts';
import type { MemberReport } from '../../../node/member-messages.ts';
import type { Replica } from '../../../node/replica/replica.ts';
import type { MemberInquiry } from '../../../node/service/member-inquiry.ts';
import { MemberService } from '../../../node/service/member-service.ts';
import type { Identity } from '../../../src/auth.ts';
import type { NodeId } from '../../../src/ids.ts';
import { apply } from '../../../src/state/apply.ts';
import type { Command } from '../../../src/state/commands.ts';
import { ClusterState } from '../../../src/state/state.ts';

const ADMIN: Identity = { principal: { id: 'local', token: null, kind: 'local' }, scopes: ['admin'] };
const TIMES = { changeMs: 30, transferMs: 30, pollMs: 1 };
const ids = (letters: string): NodeId[] => letters.split('') as NodeId[];

interface Some {
  readonly voters: string;
  readonly learners?: string;
  readonly dead?: string;
  readonly behind?: string;
  readonly self?: string;
  readonly blobsLeft?: number;
}

/** The leader is `a`; `onWish` plays what it does about a wish. */
function setUp(some: Some, onWish: (configuration: Configuration) => Configuration = (same) => same) {
  const { voters, learners = '', dead = '', behind = '', self = 'a', blobsLeft = 0 } = some;
  const state = new ClusterState();
  const proposed: Command[] = [];
  const asked: unknown[] = [];
  let index = 0;
  let leader = 'a' as NodeId;
  let configuration: Configuration = { voters: ids(voters), outgoing: [], learners: ids(learners), learnersNext: [] };
  const take = (commands: readonly Command[]) => {
    index += 1;
    const principal = { ...ADMIN.principal, kind: 'system' as const };
    const proposal = { principal, origin: 'o', sequence: index, commands };
    return apply(state, { at: 1, proposals: [proposal] }, index).results[0]?.results ?? [];
  };
  take([{ kind: 'createCluster', clusterId: 'c', auth: 'loopbackOpen' }]);
  for (const node of ids(voters + learners)) {
    take([{ kind: 'announceNode', node, addresses: [], http: null, version: '1' }]);
  }
  const replica = {
    state,
    consensus: {
      get configuration() {
        return configuration;
      },
    },
    get leader() {
      return leader;
    },
    barrier: async () => undefined,
    changeMembership: async (...change: unknown[]) => void asked.push(change),
    transfer: async (to: NodeId) => void asked.push(['transfer', to]),
    propose: async (_by: unknown, commands: readonly Command[]) => {
      proposed.push(...commands);
      const results = take(commands);
      configuration = onWish(configuration);
      return results;
    },
  } as unknown as Replica;
  const report: MemberReport = {
    term: 1,
    lastIndex: 100,
    commitIndex: 100,
    members: ids(voters + learners)
      .filter((id) => id !== 'a')
      .map((id) => ({
        id,
        matchIndex: behind.includes(id) ? 40 : 100,
        isAlive: !dead.includes(id),
        isCaughtUp: !dead.includes(id) && !behind.includes(id),
        heardMsAgo: 0,
      })),
  };
  const inquiry = { report: async () => report } as unknown as MemberInquiry;
  const removed = Promise.withResolvers<void>();
  const handOver = async (): Promise<number> => blobsLeft;
  const members = new MemberService(
    { self: self as NodeId, replica, inquiry, handOver, removed: removed.promise },
    TIMES,
  );
  const become = (next: string) => (leader = next as NodeId);
  return { members, state, proposed, asked, become, findRemoved: removed.resolve };
}

const without = (node: string) => (configuration: Configuration) => ({
  ...configuration,
  voters: configuration.voters.filter((id) => id !== node),
});
const B = 'b' as NodeId;
const D = 'd' as NodeId;

describe('removing a member', () => {
  it('is wished in the log and waited for', async () => {
    const { members, proposed, state } = setUp({ voters: 'abc', self: 'b' }, without('b'));
    await members.remove(ADMIN, B, 'safely');
    expect(proposed).toEqual([{ kind: 'wishMember', node: B, wish: 'leave' }]);
    expect(state.nodes.get(B)?.wish).toBe('leave');
  });

  it('waits for its blobs to be elsewhere, unless forced', async () => {
    const { members, proposed } = setUp({ voters: 'abc', self: 'b', blobsLeft: 7 }, without('b'));
    await expect(members.remove(ADMIN, B, 'safely')).rejects.toMatchObject({
      code: 'timedOut',
      message: expect.stringContaining('7 are not at other nodes yet'),
    });
    expect(proposed).toEqual([]);
    await members.remove(ADMIN, B, 'force');
    expect(proposed).toEqual([{ kind: 'wishMember', node: B, wish: 'leave' }]);
  });

  it('that does not come about is told as a wish that stands', async () => {
    const { members } = setUp({ voters: 'abc' });
    await expect(members.remove(ADMIN, B, 'safely')).rejects.toMatchObject({
      code: 'timedOut',
      message: expect.stringContaining('as soon as it safely can'),
    });
  });

  it('is refused where it would cost the quorum, unless forced', async () => {
    const { members, proposed, asked } = setUp({ voters: 'abc', dead: 'c', self: 'b' }, without('b'));
    await expect(members.remove(ADMIN, B, 'safely')).rejects.toMatchObject({ code: 'quorumAtRisk' });
    expect(proposed).toEqual([]);
    await members.remove(ADMIN, B, 'force');
    expect(asked).toEqual([[B, 'none']]);
  });

  it('takes a dead voter out, and not the last one', async () => {
    const { members } = setUp({ voters: 'abc', dead: 'b', self: 'b' }, without('b'));
    await members.remove(ADMIN, B, 'safely');
    const alone = setUp({ voters: 'a' });
    await expect(alone.members.remove(ADMIN, 'a' as NodeId, 'safely')).rejects.toMatchObject({ code: 'invalidChange' });
  });

  it('of the asked node itself is answered also when it hears of that by asking the others', async () => {
    const { members, findRemoved } = setUp({ voters: 'abc', self: 'b' });
    const leaving = members.remove(ADMIN, B, 'safely');
    findRemoved();
    await leaving;
    await expect(members.remove(ADMIN, 'c' as NodeId, 'safely')).rejects.toMatchObject({ code: 'timedOut' });
  });

  it('that was cut short is ended, and one that was ended is no error', async () => {
    const { members, state, proposed } = setUp({ voters: 'ab' }, without('b'));
    state.nodes.set(D, { id: D, addresses: [], http: null, version: '1' });
    await members.remove(ADMIN, D, 'safely');
    expect(proposed).toEqual([{ kind: 'forgetNode', node: D }]);
    await members.remove(ADMIN, D, 'safely');
    expect(proposed).toHaveLength(1);
    await expect(members.remove(ADMIN, 'x' as NodeId, 'safely')).rejects.toMatchObject({ code: 'notFound' });
  });

  it('needs the scope for it', async () => {
    const { members, proposed } = setUp({ voters: 'ab' });
    const reader: Identity = { ...ADMIN, scopes: ['cluster:read'] };
    await expect(members.remove(reader, B, 'safely')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(members.setRole(reader, B, 'learner', 'safely')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(members.transfer(reader, B)).rejects.toMatchObject({ code: 'forbidden' });
    expect(proposed).toEqual([]);
  });
});

describe('giving a member a role', () => {
  it('lets a learner vote that has caught up', async () => {
    const { members, proposed } = setUp({ voters: 'ab', learners: 'd' }, ({ voters }) => {
      return { voters: [...voters, D], outgoing: [], learners: [], learnersNext: [] };
    });
    await members.setRole(ADMIN, D, 'voter', 'safely');
    expect(proposed).toEqual([{ kind: 'wishMember', node: D, wish: 'voter' }]);
  });

  it.each([
    [{ voters: 'ab', learners: 'd', dead: 'd' }, 'memberUnreachable', /start it/],
    [{ voters: 'ab', learners: 'd', behind: 'd' }, 'memberBehind', /60 entries behind/],
    [{ voters: 'abc', learners: 'd' }, 'enoughVoters', /--voters/],
  ])('refuses %j with %s', async (some, code, message) => {
    const { members, proposed } = setUp(some);
    await expect(members.setRole(ADMIN, D, 'voter', 'safely')).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(proposed).toEqual([]);
  });

  it('has room where a dead voter can be replaced', async () => {
    const { members } = setUp({ voters: 'abc', learners: 'd', dead: 'c' }, () => {
      return { voters: ids('abd'), outgoing: [], learners: ids('c'), learnersNext: [] };
    });
    await members.setRole(ADMIN, D, 'voter', 'safely');
  });

  it('refuses a demotion that would cost the quorum', async () => {
    const { members } = setUp({ voters: 'abc', dead: 'c' });
    await expect(members.setRole(ADMIN, B, 'learner', 'safely')).rejects.toMatchObject({ code: 'quorumAtRisk' });
  });

  it('takes a wish back', async () => {
    const { members, proposed } = setUp({ voters: 'ab', learners: 'd' });
    await members.setRole(ADMIN, D, 'automatic', 'safely');
    expect(proposed).toEqual([{ kind: 'wishMember', node: D, wish: 'none' }]);
  });
});

describe('transferring leadership', () => {
  it('answers once the voter leads', async () => {
    const { members, asked, become } = setUp({ voters: 'abc' });
    const done = members.transfer(ADMIN, B);
    setTimeout(() => become('b'), 5);
    await done;
    expect(asked).toEqual([['transfer', B]]);
    await members.transfer(ADMIN, B);
    expect(asked).toHaveLength(1);
  });

  it('that does not come about is told, with who leads', async () => {
    const { members } = setUp({ voters: 'abc' });
    await expect(members.transfer(ADMIN, B)).rejects.toMatchObject({
      code: 'timedOut',
      message: expect.stringContaining('a leads'),
    });
  });

  it.each([
    ['x', {}, 'notFound'],
    ['d', {}, 'notVoter'],
    ['b', { dead: 'b' }, 'memberUnreachable'],
    ['b', { behind: 'b' }, 'memberBehind'],
  ])('to %s of %j is refused with %s', async (to, some, code) => {
    const { members, asked } = setUp({ voters: 'abc', learners: 'd', ...some });
    await expect(members.transfer(ADMIN, to as NodeId)).rejects.toMatchObject({ code });
    expect(asked).toEqual([]);
  });
});
