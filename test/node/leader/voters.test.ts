import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { Voters, type VotersDependencies } from '../../../node/leader/voters.ts';
import { leaveJoint, planChange } from '../../../raft/membership.ts';
import type { Configuration, MembershipChange } from '../../../raft/types.ts';
import type { NodeId } from '../../../src/ids.ts';
import type { Command } from '../../../src/state/commands.ts';
import type { MemberWish } from '../../../src/state/records.ts';
import { ClusterState } from '../../../src/state/state.ts';

const ids = (letters: string): NodeId[] => letters.split('') as NodeId[];
const SELF = 'a' as NodeId;
const MINUTE = 60_000;
/** So many are never right, and a loop must not keep the test from failing. */
const ENDLESS = 1000;

function setUp(some: {
  readonly voters: string;
  readonly learners?: string;
  readonly policy?: object;
  readonly beforeChange?: () => Promise<void>;
}) {
  const { voters, learners = '' } = some;
  const state = new ClusterState();
  const made: string[] = [];
  const proposed: Command[] = [];
  const dead = new Set<NodeId>();
  let now = 0;
  let configuration: Configuration = { voters: ids(voters), outgoing: [], learners: ids(learners), learnersNext: [] };
  let refusal: Error | null = null;
  let isKept = false;
  let asked = 0;
  state.cluster = {
    clusterId: 'c',
    auth: 'required',
    clock: 0,
    submissions: 0,
    voterPolicy: { voters: 3, replaceDead: 'automatic', ...some.policy },
  };
  const record = (id: NodeId, wish?: MemberWish) => {
    const plain = { id, addresses: [], http: null, version: '1' };
    state.nodes.set(id, wish === undefined ? plain : { ...plain, wish });
  };
  for (const id of ids(voters + learners)) record(id);
  const replica = {
    state,
    consensus: {
      term: 1,
      lastIndex: 10,
      commitIndex: 10,
      get configuration() {
        return configuration;
      },
      progress: () =>
        [...configuration.voters, ...configuration.learners]
          .filter((peer) => peer !== SELF)
          .map((peer) => ({
            peer,
            matchIndex: 10,
            recentActive: !dead.has(peer),
            caughtUp: !dead.has(peer),
          })),
    },
    async change(change: MembershipChange) {
      asked += 1;
      await some.beforeChange?.();
      if (made.length > ENDLESS) throw new Error('changes without end');
      if (refusal !== null) throw refusal;
      configuration = leaveJoint(planChange(configuration, change)!);
      made.push(`${configuration.voters.toSorted().join('')}/${configuration.learners.toSorted().join('')}`);
    },
    async propose(_by: unknown, commands: readonly Command[]) {
      if (proposed.length > ENDLESS) throw new Error('proposals without end');
      proposed.push(...commands);
      for (const command of commands) {
        if (isKept) continue;
        if (command.kind === 'forgetNode') state.nodes.delete(command.node);
        if (command.kind === 'wishMember') record(command.node);
      }
      return commands.map(() => ({ ok: true as const }));
    },
  } as unknown as VotersDependencies['replica'];
  const members = new Voters({ self: SELF, replica, logger: pino({ level: 'silent' }), now: () => now });
  const pass = async (ms: number): Promise<void> => {
    now += ms;
    await members.review();
  };
  members.start();
  return {
    members,
    made,
    asked: () => asked,
    proposed,
    dead,
    record,
    pass,
    keepRecords: () => (isKept = true),
    refuse: (error: Error | null) => (refusal = error),
  };
}

describe('the leader', () => {
  it('promotes learners one after another until as many vote as wanted', async () => {
    const { made, pass } = setUp({ voters: 'a', learners: 'bcd' });
    await pass(0);
    expect(made).toEqual(['ab/cd', 'abc/d']);
  });

  it('goes from three to five in one change', async () => {
    const { made, pass } = setUp({ voters: 'abc', learners: 'de', policy: { voters: 5 } });
    await pass(0);
    expect(made).toEqual(['abcde/']);
  });

  it('never promotes a demoted voter again, until the wish is taken back', async () => {
    const { made, record, pass } = setUp({ voters: 'ab', policy: { voters: 3 } });
    record('b' as NodeId, 'learner');
    await pass(0);
    await pass(MINUTE);
    expect(made).toEqual(['a/b']);
    record('b' as NodeId);
    await pass(0);
    expect(made).toEqual(['a/b', 'ab/']);
  });

  it('removes who is to leave, and then its record', async () => {
    const { made, proposed, record, pass } = setUp({ voters: 'abc' });
    record('b' as NodeId, 'leave');
    await pass(0);
    expect(made).toEqual(['ac/']);
    expect(proposed).toEqual([{ kind: 'forgetNode', node: 'b' }]);
  });

  it('goes on with a removal that another leader began', async () => {
    const { made, proposed, record, pass } = setUp({ voters: 'ac' });
    record('b' as NodeId, 'leave');
    await pass(0);
    expect(made).toEqual([]);
    expect(proposed).toEqual([{ kind: 'forgetNode', node: 'b' }]);
  });

  it('waits with a removal until it is safe', async () => {
    const { made, dead, record, pass } = setUp({ voters: 'abc' });
    dead.add('c' as NodeId);
    record('b' as NodeId, 'leave');
    await pass(MINUTE);
    expect(made).toEqual([]);
    dead.clear();
    await pass(0);
    expect(made).toEqual(['ac/']);
  });

  it('takes a wish to vote back once it is fulfilled', async () => {
    const { made, proposed, record, pass } = setUp({ voters: 'abc', learners: 'de', policy: { voters: 5 } });
    record('e' as NodeId, 'voter');
    await pass(0);
    expect(made).toEqual(['abce/d', 'abcde/']);
    expect(proposed).toEqual([{ kind: 'wishMember', node: 'e', wish: 'none' }]);
  });

  it('tries again after a change that was not made', async () => {
    const { made, asked, pass, refuse } = setUp({ voters: 'a', learners: 'b' });
    refuse(new Error('not now'));
    await pass(0);
    expect([made, asked()]).toEqual([[], 1]);
    refuse(null);
    await pass(500);
    expect(made).toEqual(['ab/']);
  });

  it('does not go on with what it began before it lost the lead and won it again', async () => {
    const held = Promise.withResolvers<void>();
    const { members, made, pass } = setUp({ voters: 'a', learners: 'bcd', beforeChange: () => held.promise });
    const first = pass(0);
    members.stop();
    members.start();
    held.resolve();
    await first;
    expect(made).toEqual(['ab/cd']);
    await pass(0);
    expect(made).toEqual(['ab/cd', 'abc/d']);
  });

  it('makes a bounded number of changes in one review, whatever the plan says', async () => {
    const { proposed, record, keepRecords, pass } = setUp({ voters: 'a' });
    record('gone' as NodeId, 'leave');
    keepRecords();
    await pass(0);
    expect(proposed.length).toBeLessThan(100);
  });

  it('does nothing when it does not lead any more', async () => {
    const { members, made, pass } = setUp({ voters: 'a', learners: 'b' });
    members.stop();
    await pass(0);
    expect(made).toEqual([]);
    expect(members.report()).toBe(null);
  });
});

describe('a dead voter', () => {
  const replacing = { voters: 'abc', learners: 'd', policy: { replaceDead: MINUTE } };

  it('is replaced by a learner after the grace time, and not promoted while it is dead', async () => {
    const { made, dead, pass } = setUp(replacing);
    await pass(0);
    dead.add('c' as NodeId);
    await pass(MINUTE - 1);
    expect(made).toEqual([]);
    await pass(1);
    expect(made).toEqual(['abd/c']);
    await pass(10 * MINUTE);
    expect(made).toHaveLength(1);
  });

  it('that comes back in time keeps its vote, and the time counts anew', async () => {
    const { made, dead, pass } = setUp(replacing);
    dead.add('c' as NodeId);
    await pass(MINUTE - 1);
    dead.clear();
    await pass(1);
    dead.add('c' as NodeId);
    await pass(MINUTE - 1);
    expect(made).toEqual([]);
  });

  it('is silent for a new leader from its election on', async () => {
    const { members, made, dead, pass } = setUp(replacing);
    await pass(0);
    members.stop();
    dead.add('c' as NodeId);
    await pass(MINUTE);
    members.start();
    await pass(MINUTE - 1);
    expect(made).toEqual([]);
    await pass(1);
    expect(made).toEqual(['abd/c']);
  });

  it('is not held against while the leader itself stood still', async () => {
    const { members, made, dead, pass } = setUp(replacing);
    dead.add('c' as NodeId);
    await pass(MINUTE / 2);
    members.forgive();
    await pass(MINUTE / 2);
    expect(made).toEqual([]);
    await pass(MINUTE / 2 + 1);
    expect(made).toEqual(['abd/c']);
  });

  it('of three is left alone by default; of five it is replaced after ten minutes', async () => {
    const three = setUp({ voters: 'abc', learners: 'd' });
    three.dead.add('c' as NodeId);
    await three.pass(100 * MINUTE);
    expect(three.made).toEqual([]);
    const five = setUp({ voters: 'abcde', learners: 'f', policy: { voters: 5 } });
    five.dead.add('c' as NodeId);
    await five.pass(10 * MINUTE - 1);
    expect(five.made).toEqual([]);
    await five.pass(1);
    expect(five.made).toEqual(['abdef/c']);
  });

  it('is not replaced where too few of the others are alive', async () => {
    const { made, dead, pass } = setUp({ ...replacing, learners: 'd' });
    dead.add('b' as NodeId);
    dead.add('c' as NodeId);
    await pass(10 * MINUTE);
    // One change takes one dead voter out: a, d and the other dead one would be two of three.
    expect(made).toEqual([]);
  });
});

describe('the report', () => {
  it('tells how long ago each member was heard of', async () => {
    const { members, dead, pass } = setUp({ voters: 'abc' });
    await pass(0);
    dead.add('c' as NodeId);
    await pass(5_000);
    expect(members.report()?.members).toMatchObject([
      { id: 'b', isAlive: true, heardMsAgo: 0, matchIndex: 10 },
      { id: 'c', isAlive: false, heardMsAgo: 5_000 },
    ]);
  });
});
