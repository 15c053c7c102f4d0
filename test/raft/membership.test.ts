import { describe, expect, test } from 'vitest';
import { leaveJoint, membersOf, planChange } from '../../raft/membership.ts';
import { configuration, node, nodes } from './support/builders.ts';

const CURRENT = configuration({ voters: ['a', 'b', 'c'], learners: ['l'] });

describe('planning a change', () => {
  test('goes straight there when one voter differs (dissertation §4.3)', () => {
    expect(planChange(CURRENT, { kind: 'promote', node: node('l') })).toEqual(
      configuration({ voters: ['a', 'b', 'c', 'l'] }),
    );
    expect(planChange(CURRENT, { kind: 'demote', node: node('c') })).toEqual(
      configuration({ voters: ['a', 'b'], learners: ['l', 'c'] }),
    );
    expect(planChange(CURRENT, { kind: 'remove', node: node('l') })).toEqual(
      configuration({ voters: ['a', 'b', 'c'] }),
    );
  });

  test('goes by way of a joint configuration when a voter takes another’s place (paper §6)', () => {
    const planned = planChange(CURRENT, { kind: 'replace', voters: nodes('a', 'b', 'l'), learners: nodes('c') });
    expect(planned).toEqual(configuration({ voters: ['a', 'b', 'l'], outgoing: ['a', 'b', 'c'], learnersNext: ['c'] }));
  });

  test('keeps old voters voting until the joint configuration is left, also those that become learners', () => {
    const joint = configuration({
      voters: ['a', 'l'],
      outgoing: ['a', 'b', 'c'],
      learners: ['x'],
      learnersNext: ['c'],
    });
    expect(membersOf(joint)).toEqual(new Set(nodes('a', 'l', 'b', 'c', 'x')));
    expect(leaveJoint(joint)).toEqual(configuration({ voters: ['a', 'l'], learners: ['x', 'c'] }));
  });

  test('refuses the same node twice', () => {
    expect(planChange(CURRENT, { kind: 'replace', voters: nodes('a', 'a'), learners: [] })).toBeNull();
  });
});
