import { describe, expect, test } from 'vitest';
import type { Message } from '../../raft/types.ts';
import { node } from './support/builders.ts';
import { Cluster } from './support/cluster.ts';

const isAck = (message: Message): boolean => message.kind === 'appendEntriesResponse';

/** `c` has written and acknowledged an entry, but its ack is still on its way. */
function withLateAck(): { cluster: Cluster; late: Message[] } {
  const cluster = new Cluster({ members: ['a', 'b', 'c'] });
  cluster.elect('a');
  cluster.cut('b', 'a');
  cluster.propose('a', 'x');
  cluster.member('c').disk = 'held';
  cluster.settle();
  cluster.finishWrite('c');
  const late = cluster.intercept((message) => isAck(message) && message.from === 'c');
  cluster.member('c').disk = 'prompt';
  expect(late).toMatchObject([{ success: true, index: 2 }]);
  return { cluster, late };
}

function progressOf(cluster: Cluster, peer: string): unknown {
  return cluster
    .member('a')
    .raft.progress()
    .find((progress) => progress.peer === peer);
}

describe('sessions: an ack of an earlier incarnation never counts', () => {
  test('a late ack of the incarnation that lost its disk does not commit', () => {
    const { cluster, late } = withLateAck();
    cluster.member('c').loseDisk();
    cluster.invariants.forget(cluster.member('c'));
    cluster.cut('a', 'c');
    cluster.heal();
    cluster.cut('b', 'a');
    // One heartbeat and its answer make the new session known; appends to it are lost.
    cluster.tick('a', 2);
    cluster.intercept((message) => message.kind === 'appendEntries');
    const heartbeat = cluster.intercept((message) => message.kind === 'heartbeat' && message.to === 'c');
    for (const message of heartbeat) cluster.deliver(message);
    for (const message of cluster.intercept((message) => message.kind === 'heartbeatResponse'))
      cluster.deliver(message);
    expect(progressOf(cluster, 'c')).toMatchObject({ matchIndex: 0, state: 'probe' });
    for (const message of late) cluster.deliver(message);
    expect(progressOf(cluster, 'c')).toMatchObject({ matchIndex: 0 });
    expect(cluster.member('a').raft.commitIndex).toBe(1);
  });

  test('an old session’s answer to an old heartbeat does not unseat the new one', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.tick('a', 2);
    cluster.deliver(cluster.intercept((message) => message.kind === 'heartbeat' && message.to === 'c')[0]!);
    const old = cluster.intercept((message) => message.kind === 'heartbeatResponse' && message.from === 'c');
    cluster.restart('c');
    cluster.run(4);
    const before = progressOf(cluster, 'c');
    for (const message of old) cluster.deliver(message);
    cluster.settle();
    expect(progressOf(cluster, 'c')).toEqual(before);
    cluster.propose('a', 'x');
    cluster.settle();
    expect(cluster.appliedBy('c')).toEqual(['x']);
  });

  test('a restarted follower is probed anew and goes on', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.propose('a', 'x');
    cluster.settle();
    cluster.restart('c');
    cluster.run(3);
    cluster.propose('a', 'y');
    cluster.settle();
    expect(progressOf(cluster, 'c')).toMatchObject({ state: 'replicate', matchIndex: 3 });
    expect(cluster.appliedBy('c')).toEqual(['x', 'y']);
  });

  test('an append that names another incarnation is not taken', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.propose('a', 'x');
    const appends = cluster.intercept((message) => message.kind === 'appendEntries' && message.to === 'c');
    expect(appends).toMatchObject([{ session: cluster.member('c').session }]);
    cluster.restart('c');
    for (const message of appends) cluster.deliver(message);
    expect(cluster.member('c').raft.lastIndex).toBe(1);
  });

  test('a late ack from before a node was removed and added again does not count', () => {
    const { cluster, late } = withLateAck();
    cluster.heal();
    cluster.settle();
    cluster.run(4);
    cluster.change('a', { kind: 'remove', node: node('c') });
    cluster.settle();
    cluster.member('c').loseDisk();
    cluster.invariants.forget(cluster.member('c'));
    cluster.change('a', { kind: 'addLearner', node: node('c') });
    cluster.intercept((message) => message.to === 'c');
    for (const message of late) cluster.deliver(message);
    expect(progressOf(cluster, 'c')).toMatchObject({ matchIndex: 0 });
    cluster.run(6);
    expect(cluster.appliedBy('c')).toEqual(['x']);
  });
});
