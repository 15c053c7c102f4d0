import { describe, expect, it } from 'vitest';
import type { Replica } from '../../../node/replica/replica.ts';
import { describeCluster } from '../../../node/service/cluster-view.ts';
import type { NodeId } from '../../../src/ids.ts';
import type { MemberWish } from '../../../src/state/records.ts';
import { ClusterState } from '../../../src/state/state.ts';

const ids = (letters: string): NodeId[] => letters.split('') as NodeId[];
const NOW = Date.UTC(2030, 0, 1);

interface Some {
  readonly voters: string;
  readonly learners?: string;
  readonly outgoing?: string;
  readonly alive: string;
  readonly wishes?: Readonly<Record<string, MemberWish>>;
}

/** As the leader `a` sees it. */
function view({ voters, learners = '', outgoing = '', alive, wishes = {} }: Some) {
  const state = new ClusterState();
  for (const id of ids(voters + learners)) {
    const wish = wishes[id];
    const record = { id, addresses: [], http: null, version: '1' };
    state.nodes.set(id, wish === undefined ? record : { ...record, wish });
  }
  const configuration = {
    voters: ids(voters),
    outgoing: ids(outgoing),
    learners: ids(learners),
    learnersNext: [],
  };
  const consensus = { configuration, leader: 'a', term: 2, commitIndex: 9, lastIndex: 10 };
  const replica = { state, consensus, applier: { applied: 8 } } as unknown as Replica;
  const members = ids(voters + learners)
    .filter((id) => id !== 'a')
    .map((id) => ({
      id,
      matchIndex: 7,
      isAlive: alive.includes(id),
      isCaughtUp: true,
      heardMsAgo: alive.includes(id) ? 0 : 5000,
    }));
  const report = { term: 2, lastIndex: 10, commitIndex: 9, members };
  const positions = new Map([['b' as NodeId, { commitIndex: 7, appliedIndex: 6 }]]);
  return describeCluster({ self: 'a' as NodeId, replica, connected: [], report, positions, now: NOW });
}

const codes = (some: Some): readonly string[] => view(some).warnings.map(({ code }) => code);

describe('the fault tolerance and the warnings', () => {
  it.each([
    ['alone', { voters: 'a', alive: 'a' }, 0, []],
    ['a voter and a learner', { voters: 'a', learners: 'b', alive: 'ab' }, 0, ['quorumAtRisk']],
    ['two voters', { voters: 'ab', alive: 'ab' }, 0, ['quorumAtRisk']],
    ['three of three', { voters: 'abc', alive: 'abc' }, 1, []],
    ['two of three', { voters: 'abc', alive: 'ab' }, 0, ['quorumAtRisk', 'voterUnreachable']],
    ['one of three', { voters: 'abc', alive: 'a' }, 0, ['quorumLost', 'voterUnreachable', 'voterUnreachable']],
    ['four of four', { voters: 'abcd', alive: 'abcd' }, 1, ['evenVoters']],
    ['four of five', { voters: 'abcde', alive: 'abcd' }, 1, ['voterUnreachable']],
    ['a dead learner', { voters: 'abc', learners: 'd', alive: 'abc' }, 1, []],
    ['the weaker half of a joint one', { voters: 'abc', outgoing: 'ab', alive: 'abc' }, 0, ['quorumAtRisk']],
    ['a wish that waits', { voters: 'abc', alive: 'abc', wishes: { b: 'leave' as const } }, 1, ['wishPending']],
  ])('of %s', (_name, some, tolerance, warnings) => {
    expect(view(some).faultTolerance).toBe(tolerance);
    expect(codes(some)).toEqual(warnings);
  });
});

describe('a member', () => {
  it('is told with its role, positions, lag and when it was heard of', () => {
    const { members } = view({ voters: 'ab', learners: 'c', alive: 'ab' });
    expect(members).toMatchObject([
      { id: 'a', role: 'voter', health: 'alive', commitIndex: 9, appliedIndex: 8, lag: 0 },
      { id: 'b', role: 'voter', health: 'alive', commitIndex: 7, appliedIndex: 6, lag: 3 },
      {
        id: 'c',
        role: 'learner',
        health: 'unreachable',
        commitIndex: null,
        lag: 3,
        lastSeen: new Date(NOW - 5000).toISOString(),
      },
    ]);
  });
});
