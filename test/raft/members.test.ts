import { describe, expect, test } from 'vitest';
import { Raft } from '../../raft/raft.ts';
import type { Entry, Message } from '../../raft/types.ts';
import { configuration, node, nodes, OPTIONS, stored } from './support/builders.ts';
import { Cluster } from './support/cluster.ts';
import { seeded } from './support/seeded.ts';

function reasons(cluster: Cluster, name = 'a'): string[] {
  return cluster.member(name).refusals.map(({ reason }) => reason);
}

describe('changing one member (dissertation §4.3)', () => {
  test('a new node becomes a learner, catches up and is promoted', () => {
    const cluster = new Cluster({ members: ['a'] });
    cluster.run(1);
    cluster.propose('a', 'x');
    cluster.settle();
    cluster.join('b');
    cluster.change('a', { kind: 'addLearner', node: node('b') });
    cluster.run(4);
    expect(cluster.appliedBy('b')).toEqual(['x']);
    expect(cluster.member('b').raft.configuration).toEqual(configuration({ voters: ['a'], learners: ['b'] }));
    cluster.change('a', { kind: 'promote', node: node('b') });
    cluster.settle();
    for (const name of ['a', 'b']) {
      expect(cluster.member(name).raft.configuration).toEqual(configuration({ voters: ['a', 'b'] }));
    }
  });

  test('a learner that is not caught up is not promoted', () => {
    const cluster = new Cluster({ members: ['a'] });
    cluster.run(1);
    cluster.change('a', { kind: 'addLearner', node: node('b') });
    cluster.run(30);
    cluster.change('a', { kind: 'promote', node: node('b') });
    expect(reasons(cluster)).toEqual(['invalidChange']);
  });

  test('it counts from the moment it is appended', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.partition(['a', 'b'], ['c']);
    cluster.change('a', { kind: 'remove', node: node('b') });
    expect(cluster.member('a').raft.configuration).toEqual(configuration({ voters: ['a', 'c'] }));
    cluster.settle();
    // `b` answers, but a majority of the new configuration is `a` and `c`.
    expect(cluster.member('a').raft.commitIndex).toBe(1);
  });

  test('it is undone when the entry is truncated', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.isolate('a');
    cluster.change('a', { kind: 'remove', node: node('c') });
    cluster.settle();
    expect(cluster.member('a').raft.configuration.voters).toEqual(['a', 'b']);
    cluster.elect('b');
    cluster.heal();
    cluster.run(6);
    expect(cluster.member('a').raft.configuration.voters).toEqual(['a', 'b', 'c']);
  });

  test('a demoted voter is a learner', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.change('a', { kind: 'demote', node: node('c') });
    cluster.settle();
    expect(cluster.member('c').raft.configuration).toEqual(configuration({ voters: ['a', 'b'], learners: ['c'] }));
    cluster.propose('a', 'x');
    cluster.settle();
    expect(cluster.appliedBy('c')).toEqual(['x']);
  });

  test('a removed follower learns of it and stays quiet', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.change('a', { kind: 'remove', node: node('c') });
    cluster.settle();
    expect(cluster.member('c').raft.configuration.voters).toEqual(['a', 'b']);
    cluster.run(50);
    expect(cluster.member('c').raft.role).toBe('follower');
    expect(
      cluster
        .member('a')
        .raft.progress()
        .map(({ peer }) => peer),
    ).toEqual(['b']);
  });

  test('one that is removed without knowing disturbs nobody (§4.2.3)', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.isolate('c');
    cluster.change('a', { kind: 'remove', node: node('c') });
    cluster.run(3);
    cluster.heal();
    cluster.run(60);
    expect(cluster.leader?.id).toBe('a');
    expect(cluster.leader?.raft.term).toBe(1);
  });
});

describe('a removed leader (dissertation §4.2.2)', () => {
  test('leads until the change is committed, then another leads at once', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.change('a', { kind: 'remove', node: node('a') });
    expect(cluster.member('a').raft.role).toBe('leader');
    cluster.settle();
    expect(cluster.member('a').raft.role).toBe('follower');
    expect(['b', 'c']).toContain(cluster.leader?.id);
    expect(cluster.leader?.raft.configuration.voters).toEqual(['b', 'c']);
  });

  test('does not count itself', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.crash('c');
    cluster.change('a', { kind: 'remove', node: node('a') });
    cluster.settle();
    expect(cluster.member('a').raft.role).toBe('leader');
    expect(cluster.member('a').raft.commitIndex).toBe(1);
    cluster.restart('c');
    cluster.run(6);
    expect(['b', 'c']).toContain(cluster.leader?.id);
  });

  test('may campaign once more while its own removal is not known to be committed', () => {
    const cluster = new Cluster({ members: ['a', 'b'] });
    cluster.elect('a');
    cluster.isolate('a');
    cluster.change('a', { kind: 'remove', node: node('a') });
    cluster.settle();
    // Only `a` has the entry, so only `a` can be elected; and only with it can the change be committed.
    cluster.restart('a');
    cluster.heal();
    cluster.run(60);
    expect(cluster.leader?.id).toBe('b');
    expect(cluster.member('b').raft.configuration.voters).toEqual(['b']);
  });
});

describe('joint consensus (paper §6)', () => {
  test('several voters change by way of a joint configuration, which is left by itself', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    for (const name of ['d', 'e']) cluster.join(name);
    cluster.change('a', { kind: 'replace', voters: nodes('a', 'd', 'e'), learners: nodes('b') });
    expect(cluster.member('a').raft.configuration).toEqual(
      configuration({ voters: ['a', 'd', 'e'], outgoing: ['a', 'b', 'c'], learnersNext: ['b'] }),
    );
    cluster.run(6);
    for (const name of ['a', 'b', 'd', 'e']) {
      expect(cluster.member(name).raft.configuration).toEqual(
        configuration({ voters: ['a', 'd', 'e'], learners: ['b'] }),
      );
    }
  });

  test.each([
    ['old', ['a', 'd', 'e', 'f'], ['b', 'c']],
    ['new', ['a', 'b', 'c'], ['d', 'e', 'f']],
  ])('while it is joint, nothing is committed without a majority of the %s voters', (_which, reached, away) => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    for (const name of ['d', 'e', 'f']) cluster.join(name);
    cluster.partition(reached, away);
    cluster.change('a', { kind: 'replace', voters: nodes('d', 'e', 'f'), learners: [] });
    cluster.run(6);
    expect(cluster.member('a').raft.commitIndex).toBe(1);
    expect(cluster.member('a').raft.configuration.outgoing).toEqual(['a', 'b', 'c']);
    cluster.heal();
    cluster.run(6);
    expect(cluster.leader?.raft.configuration).toEqual(configuration({ voters: ['d', 'e', 'f'] }));
  });

  test('a new leader finishes what it finds', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'], random: seeded(3) });
    cluster.elect('a');
    for (const name of ['d', 'e']) cluster.join(name);
    cluster.change('a', { kind: 'replace', voters: nodes('c', 'd', 'e'), learners: [] });
    for (let i = 0; i < 200 && !isJointEverywhere(cluster); i += 1) {
      for (const name of cluster.members.keys()) if (name !== 'a') cluster.finishWrite(name);
      const message = cluster.inFlight.shift();
      if (message !== undefined && message.to !== 'a') cluster.deliver(message);
      if (message === undefined) cluster.tick('a');
    }
    cluster.crash('a');
    cluster.run(80);
    expect(cluster.leader?.raft.configuration).toEqual(configuration({ voters: ['c', 'd', 'e'] }));
    cluster.propose(cluster.leader?.id ?? '', 'x');
    cluster.settle();
    expect(cluster.appliedBy('d')).toEqual(['x']);
  });

  test('an old voter that is elected after the joint configuration was committed leads until it is left', () => {
    const initial = configuration({ voters: ['a', 'd', 'e'], outgoing: ['a', 'b', 'c'] });
    const cluster = new Cluster({ members: ['a', 'b', 'c', 'd', 'e'], initial });
    const log: Entry[] = [{ kind: 'configuration', index: 1, term: 1, configuration: initial }];
    for (const name of cluster.members.keys()) {
      cluster.begin(name, {
        hardState: { term: 1, vote: null, commit: 1 },
        snapshot: null,
        entries: name === 'b' ? [...log, { kind: 'noop', index: 2, term: 1 }] : log,
        applied: 0,
      });
    }
    cluster.elect('b');
    expect(cluster.member('d').raft.configuration).toEqual(configuration({ voters: ['a', 'd', 'e'] }));
    expect(['a', 'd', 'e']).toContain(cluster.leader?.id);
  });

  test('a leader outside the new configuration steps down when it is left', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    for (const name of ['d', 'e', 'f']) cluster.join(name);
    cluster.change('a', { kind: 'replace', voters: nodes('d', 'e', 'f'), learners: [] });
    cluster.run(6);
    expect(cluster.member('a').raft.role).toBe('follower');
    expect(['d', 'e', 'f']).toContain(cluster.leader?.id);
  });
});

function isJointEverywhere(cluster: Cluster): boolean {
  return ['b', 'c', 'd', 'e'].every((name) => {
    const { durable } = cluster.member(name);
    return durable.entries.some((entry) => entry.kind === 'configuration' && entry.configuration.outgoing.length > 0);
  });
}

describe('changes that are refused', () => {
  test('before a commit in the leader’s term (the bug of 2015)', () => {
    const cluster = new Cluster({ members: ['a'] });
    cluster.member('a').disk = 'held';
    cluster.tick('a');
    cluster.finishWrite('a');
    expect(cluster.member('a').raft.role).toBe('leader');
    cluster.change('a', { kind: 'addLearner', node: node('b') });
    expect(reasons(cluster)).toEqual(['noCommitInTerm']);
  });

  test('while another one is under way', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.change('a', { kind: 'addLearner', node: node('d') });
    cluster.change('a', { kind: 'addLearner', node: node('e') });
    expect(reasons(cluster)).toEqual(['changeInProgress']);
  });

  test('at others than the leader', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.change('b', { kind: 'addLearner', node: node('d') });
    expect(reasons(cluster, 'b')).toEqual(['notLeader']);
  });

  test.each([
    ['the last voter is removed', { kind: 'remove', node: node('a') }],
    ['the last voter is demoted', { kind: 'demote', node: node('a') }],
    ['a stranger is removed', { kind: 'remove', node: node('z') }],
    ['a stranger is promoted', { kind: 'promote', node: node('z') }],
    ['a voter is added as a learner', { kind: 'addLearner', node: node('a') }],
    ['a learner is added again', { kind: 'addLearner', node: node('l') }],
    ['nobody votes', { kind: 'replace', voters: [], learners: nodes('a') }],
    ['one is both', { kind: 'replace', voters: nodes('a', 'l'), learners: nodes('l') }],
    ['nothing changes', { kind: 'replace', voters: nodes('a'), learners: nodes('l') }],
  ] as const)('when %s', (_why, change) => {
    const initial = configuration({ voters: ['a'], learners: ['l'] });
    const cluster = new Cluster({ members: ['a', 'l'], initial });
    cluster.run(2);
    cluster.change('a', change);
    expect(reasons(cluster)).toEqual(['invalidChange']);
  });
});

describe('the membership at an index', () => {
  test('is the one in force there, for snapshots and compaction', () => {
    const place = (index: number): { index: number; term: number } => ({ index, term: 1 });
    const pair = configuration({ voters: ['a', 'b'] });
    const log: Entry[] = [
      { kind: 'noop', ...place(1) },
      { kind: 'configuration', ...place(2), configuration: pair },
      { kind: 'noop', ...place(3) },
    ];
    const initial = configuration({ voters: ['a'] });
    const hardState = { term: 1, vote: null, commit: 3 };
    const raft = new Raft(
      { id: node('a'), session: 'a#1', random: () => 0 },
      OPTIONS,
      stored({ initial, entries: log, hardState, applied: 3 }),
    );
    expect(raft.snapshotMeta(1).configuration).toEqual(initial);
    expect(raft.snapshotMeta(2).configuration).toEqual(pair);
    raft.step({ kind: 'compact', index: 2 });
    expect(raft.snapshotMeta(3).configuration).toEqual(pair);
    expect(raft.configuration).toEqual(pair);
    const late: Message = { kind: 'timeoutNow', from: node('b'), to: node('a'), term: 1, expectedLastIndex: 0 };
    expect(raft.step({ kind: 'message', message: late }).messages).toEqual([]);
  });
});
