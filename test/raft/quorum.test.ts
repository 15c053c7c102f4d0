import { describe, expect, test } from 'vitest';
import { countVotes, reachedByQuorum } from '../../raft/quorum.ts';
import { configuration, node } from './support/builders.ts';

function valueOf(values: Readonly<Record<string, number>>): (voter: string) => number {
  return (voter) => values[voter] ?? 0;
}

describe('what a quorum has reached', () => {
  test.each([
    [['a'], { a: 7 }, 7],
    [['a', 'b'], { a: 7, b: 3 }, 3],
    [['a', 'b', 'c'], { a: 7, b: 3, c: 5 }, 5],
    [['a', 'b', 'c', 'd'], { a: 7, b: 3, c: 5, d: 4 }, 4],
    [['a', 'b', 'c', 'd', 'e'], { a: 9, b: 8, c: 2, d: 1 }, 2],
  ])('of voters %j with %j is %d', (voters, values, reached) => {
    expect(reachedByQuorum(configuration({ voters }), valueOf(values))).toBe(reached);
  });

  test('in a joint configuration is what both halves have (paper §6)', () => {
    const joint = configuration({ voters: ['a', 'd', 'e'], outgoing: ['a', 'b', 'c'] });
    expect(reachedByQuorum(joint, valueOf({ a: 9, b: 2, c: 3, d: 8, e: 1 }))).toBe(3);
    expect(reachedByQuorum(joint, valueOf({ a: 9, b: 8, c: 1, d: 2, e: 1 }))).toBe(2);
  });

  test('is less than anything when nobody votes', () => {
    expect(reachedByQuorum(configuration({ voters: [] }), () => 5)).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe('votes', () => {
  const joint = configuration({ voters: ['a', 'd', 'e'], outgoing: ['a', 'b', 'c'] });
  const three = configuration({ voters: ['a', 'b', 'c'] });

  test.each([
    [three, { a: true }, 'pending'],
    [three, { a: true, b: true }, 'won'],
    [three, { a: true, b: false }, 'pending'],
    [three, { b: false, c: false }, 'lost'],
    [three, { a: true, x: true, y: true }, 'pending'],
    [configuration({ voters: ['a', 'b'] }), { a: true, b: false }, 'lost'],
    [joint, { a: true, d: true }, 'pending'],
    [joint, { a: true, b: true }, 'pending'],
    [joint, { a: true, b: true, d: true }, 'won'],
    [joint, { a: true, d: true, e: true, b: false, c: false }, 'lost'],
  ] as const)('of %j: %j is %s', (membership, answers, result) => {
    const votes = new Map(Object.entries(answers).map(([voter, granted]) => [node(voter), granted]));
    expect(countVotes(membership, votes)).toBe(result);
  });
});
