import { describe, expect, test } from 'vitest';
import { configuration, node } from './support/builders.ts';
import { Cluster } from './support/cluster.ts';

describe('leadership transfer (dissertation §3.10)', () => {
  test('a voter that holds the whole log leads at once', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.step('a', { kind: 'transfer', to: node('c') });
    cluster.settle();
    expect(cluster.roles()).toEqual({ a: 'follower', b: 'follower', c: 'leader' });
  });

  test('one that is behind catches up first; proposals are refused meanwhile', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.isolate('c');
    cluster.propose('a', 'x');
    cluster.settle();
    cluster.step('a', { kind: 'transfer', to: node('c') });
    const refused = cluster.propose('a', 'y');
    expect(cluster.member('a').refusals).toEqual([{ id: refused, reason: 'leadershipTransfer', leader: 'a' }]);
    cluster.heal();
    cluster.run(6);
    expect(cluster.leader?.id).toBe('c');
    expect(cluster.appliedBy('c')).toEqual(['x']);
  });

  test('when it fails, the block on proposals is lifted after an election timeout', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.crash('c');
    cluster.step('a', { kind: 'transfer', to: node('c') });
    cluster.run(10);
    expect(cluster.leader?.id).toBe('a');
    const taken = cluster.propose('a', 'x');
    expect(cluster.member('a').accepted.has(taken)).toBe(true);
  });

  test('a target whose log is shorter than the leader expects does not campaign', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    const message = { kind: 'timeoutNow', from: node('a'), to: node('c'), term: 1, expectedLastIndex: 2 } as const;
    cluster.step('c', { kind: 'message', message });
    expect(cluster.member('c').raft.role).toBe('follower');
  });

  test('learners, strangers and the leader itself are no targets', () => {
    const initial = configuration({ voters: ['a', 'b'], learners: ['l'] });
    const cluster = new Cluster({ members: ['a', 'b', 'l'], initial });
    cluster.elect('a');
    for (const to of ['l', 'stranger', 'a']) cluster.step('a', { kind: 'transfer', to: node(to) });
    expect(cluster.member('a').raft.status().transferringTo).toBeNull();
    expect(cluster.intercept((message) => message.kind === 'timeoutNow')).toEqual([]);
  });

  test('a target that is removed meanwhile is forgotten', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.isolate('c');
    cluster.step('a', { kind: 'transfer', to: node('c') });
    cluster.run(10);
    cluster.change('a', { kind: 'remove', node: node('c') });
    cluster.settle();
    cluster.step('a', { kind: 'transfer', to: node('c') });
    expect(cluster.member('a').raft.status().transferringTo).toBeNull();
  });

  test('no change of the membership begins during one', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.isolate('c');
    cluster.propose('a', 'x');
    cluster.step('a', { kind: 'transfer', to: node('c') });
    const id = cluster.change('a', { kind: 'remove', node: node('b') });
    expect(cluster.member('a').refusals).toEqual([{ id, reason: 'leadershipTransfer', leader: 'a' }]);
  });
});
