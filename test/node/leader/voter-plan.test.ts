import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quorumMargin } from '../../../node/leader/quorum-margin.ts';
import { planVoters, type VoterPicture } from '../../../node/leader/voter-plan.ts';
import { leaveJoint, planChange } from '../../../raft/membership.ts';
import type { NodeId } from '../../../src/ids.ts';
import type { MemberWish } from '../../../src/state/records.ts';

interface Some {
  readonly voters: string;
  readonly learners?: string;
  readonly wanted?: number;
  readonly replaceDeadAfterMs?: number | null;
  readonly dead?: string;
  readonly behind?: string;
  readonly silentMs?: number;
  readonly wishes?: Readonly<Record<string, MemberWish>>;
}

const ids = (letters: string): NodeId[] => letters.split('') as NodeId[];

/** One letter a node; the first voter leads. */
function picture(some: Some): VoterPicture {
  const { voters, learners = '', wanted = 3, replaceDeadAfterMs = null } = some;
  const { dead = '', behind = '', silentMs = 0, wishes = {} } = some;
  return {
    leader: voters[0] as NodeId,
    configuration: { voters: ids(voters), outgoing: [], learners: ids(learners), learnersNext: [] },
    wanted,
    replaceDeadAfterMs,
    wishOf: (node) => wishes[node] ?? null,
    isAlive: (node) => !dead.includes(node),
    isCaughtUp: (node) => !dead.includes(node) && !behind.includes(node),
    silentMs: (node) => (dead.includes(node) ? silentMs : 0),
  };
}

/** Voters and learners as the planned change leaves them, or null. */
function planned(some: Some): readonly [voters: string, learners: string] | null {
  const { configuration } = picture(some);
  const plan = planVoters(picture(some));
  if (plan === null) return null;
  const next = planChange(configuration, plan.change);
  if (next === null) throw new Error(`the core would refuse ${JSON.stringify(plan)}`);
  const { voters, learners } = leaveJoint(next);
  return [voters.toSorted().join(''), learners.toSorted().join('')];
}

describe('the wanted number of voters', () => {
  it('is reached one learner after another up to three, by way of two', () => {
    expect(planned({ voters: 'a', learners: 'b' })).toEqual(['ab', '']);
    expect(planned({ voters: 'ab', learners: 'cd' })).toEqual(['abc', 'd']);
    expect(planned({ voters: 'abc', learners: 'd' })).toBe(null);
  });

  it('of five is reached from three by two learners at once, and never stops at four', () => {
    expect(planned({ voters: 'abc', learners: 'd', wanted: 5 })).toBe(null);
    expect(planned({ voters: 'abc', learners: 'de', wanted: 5 })).toEqual(['abcde', '']);
    expect(planned({ voters: 'abcd', learners: 'e', wanted: 5 })).toEqual(['abcde', '']);
  });

  it('is not reached with learners that are dead, behind, or were asked not to vote', () => {
    expect(planned({ voters: 'ab', learners: 'c', dead: 'c' })).toBe(null);
    expect(planned({ voters: 'ab', learners: 'c', behind: 'c' })).toBe(null);
    expect(planned({ voters: 'ab', learners: 'c', wishes: { c: 'learner' } })).toBe(null);
    expect(planned({ voters: 'abc', learners: 'de', wanted: 5, behind: 'e' })).toBe(null);
  });

  it('that was lowered is reached by demotions: the dead first, the leader never', () => {
    expect(planned({ voters: 'abcde', wanted: 3, dead: 'd' })).toEqual(['abce', 'd']);
    expect(planned({ voters: 'abc', wanted: 1 })).toEqual(['ac', 'b']);
    expect(planned({ voters: 'ab', wanted: 1 })).toEqual(['a', 'b']);
  });
});

describe('wishes', () => {
  it('come before the wanted number', () => {
    expect(planned({ voters: 'abcde', wanted: 3, wishes: { e: 'leave' } })).toEqual(['abcd', '']);
  });

  it('are followed: leave, vote, do not vote', () => {
    expect(planned({ voters: 'abc', wishes: { b: 'leave' } })).toEqual(['ac', '']);
    expect(planned({ voters: 'abc', wishes: { a: 'leave' } })).toEqual(['bc', '']);
    expect(planned({ voters: 'abc', wishes: { b: 'learner' } })).toEqual(['ac', 'b']);
    expect(planned({ voters: 'ac', learners: 'b', wishes: { b: 'learner' } })).toBe(null);
    expect(planned({ voters: 'abc', learners: 'de', wanted: 5, wishes: { e: 'voter' } })).toEqual(['abce', 'd']);
  });

  it('to leave are followed for learners too, and for them first', () => {
    expect(planned({ voters: 'abc', learners: 'd', wishes: { d: 'leave' } })).toEqual(['abc', '']);
    expect(planned({ voters: 'abc', learners: 'd', wishes: { b: 'leave', d: 'leave' } })).toEqual(['abc', '']);
    expect(planned({ voters: 'ab', learners: 'c', wishes: { c: 'leave' } })).toEqual(['ab', '']);
  });

  it('to vote take the place of a dead voter where there are enough', () => {
    const full = { voters: 'abc', learners: 'd', wishes: { d: 'voter' } } as const;
    expect(planned(full)).toBe(null);
    expect(planned({ ...full, dead: 'c' })).toEqual(['abd', 'c']);
  });

  it('wait while they would cost the quorum', () => {
    expect(planned({ voters: 'abc', dead: 'c', wishes: { b: 'leave' } })).toBe(null);
    expect(planned({ voters: 'abc', dead: 'c', wishes: { b: 'learner' } })).toBe(null);
    expect(planned({ voters: 'abc', dead: 'c', wishes: { b: 'leave', c: 'leave' } })).toEqual(['ab', '']);
    expect(planned({ voters: 'a', wishes: { a: 'leave' } })).toBe(null);
  });
});

describe('the replacement of a dead voter', () => {
  const five: Some = { voters: 'abcde', learners: 'f', wanted: 5, dead: 'e', replaceDeadAfterMs: 1000, silentMs: 1000 };

  it('comes after the grace time, by a learner that has caught up; the dead one becomes a learner', () => {
    expect(planned(five)).toEqual(['abcdf', 'e']);
    expect(planned({ ...five, silentMs: 999 })).toBe(null);
    expect(planned({ ...five, behind: 'f' })).toBe(null);
  });

  it('comes never where the policy is off', () => {
    expect(planned({ ...five, replaceDeadAfterMs: null, silentMs: 10 ** 9 })).toBe(null);
  });

  it('comes behind what users wish, and behind promotions', () => {
    expect(planned({ ...five, learners: 'fg', wishes: { g: 'leave' } })).toEqual(['abcde', 'f']);
    expect(planned({ ...five, voters: 'abce', wanted: 5 })).toEqual(['abcef', '']);
  });

  it('does not promote the dead one again', () => {
    expect(planned({ ...five, voters: 'abcdf', learners: 'e' })).toBe(null);
  });
});

describe('any plan', () => {
  const letters = 'abcdefghi';
  const some = fc
    .record({
      voterCount: fc.integer({ min: 1, max: 7 }),
      learnerCount: fc.integer({ min: 0, max: 2 }),
      wanted: fc.constantFrom(1, 3, 5, 7),
      dead: fc.subarray(letters.slice(1).split('')),
      behind: fc.subarray(letters.split('')),
      replaceDeadAfterMs: fc.constantFrom(null, 0),
      wishes: fc.dictionary(fc.constantFrom(...letters.split('')), fc.constantFrom('voter', 'learner', 'leave')),
    })
    .map(({ voterCount, learnerCount, dead, behind, wishes, ...rest }) => ({
      ...rest,
      wishes: wishes as Record<string, MemberWish>,
      voters: letters.slice(0, voterCount),
      learners: letters.slice(voterCount, voterCount + learnerCount),
      dead: dead.join(''),
      behind: behind.join(''),
    }));

  it('keeps a majority of the voters alive, in each half of a joint configuration too', () => {
    fc.assert(
      fc.property(some, (drawn) => {
        const { configuration, isAlive } = picture(drawn);
        const plan = planVoters(picture(drawn));
        fc.pre(plan !== null);
        const next = planChange(configuration, plan.change)!;
        expect(quorumMargin(next, isAlive)).toBeGreaterThanOrEqual(0);
        expect(quorumMargin(leaveJoint(next), isAlive)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it('comes to an end: followed one after another, nothing is left to do', () => {
    fc.assert(
      fc.property(some, (drawn) => {
        let { configuration } = picture(drawn);
        for (let steps = 0; steps < 20; steps += 1) {
          const plan = planVoters({ ...picture(drawn), configuration, leader: 'a' as NodeId });
          if (plan === null) return;
          configuration = leaveJoint(planChange(configuration, plan.change)!);
          // As the leader does: a wish to vote is fulfilled once.
          for (const node of configuration.voters) if (drawn.wishes[node] === 'voter') delete drawn.wishes[node];
        }
        throw new Error('the plans go round in a circle');
      }),
    );
  });
});
