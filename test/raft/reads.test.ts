import { describe, expect, test } from 'vitest';
import { MAX_PENDING_READS } from '../../raft/read-index.ts';
import type { Message } from '../../raft/types.ts';
import { configuration, entries, node } from './support/builders.ts';
import { Cluster } from './support/cluster.ts';

const isHeartbeat = (message: Message): boolean => message.kind === 'heartbeat';

describe('ReadIndex (dissertation §6.4)', () => {
  test('a leader answers a read once a quorum has confirmed that it still leads', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    const id = cluster.read('a');
    expect(cluster.member('a').reads.has(id)).toBe(false);
    cluster.settle();
    expect(cluster.member('a').reads.get(id)).toBe(1);
  });

  test('a follower asks its leader and answers', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.propose('a', 'x');
    cluster.settle();
    const id = cluster.read('c');
    cluster.settle();
    expect(cluster.member('c').reads.get(id)).toBe(2);
  });

  test('a stale leader answers nothing: the read is refused when it steps down', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.isolate('a');
    cluster.elect('b');
    cluster.propose('b', 'x');
    cluster.settle();
    const id = cluster.read('a');
    cluster.run(12);
    expect(cluster.member('a').reads.has(id)).toBe(false);
    expect(cluster.member('a').refusals).toMatchObject([{ id, reason: 'notLeader' }]);
  });

  test('an answer to a heartbeat sent before the read does not confirm it', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.tick('a', 2);
    const early = cluster.intercept(isHeartbeat);
    const id = cluster.read('a');
    cluster.intercept(isHeartbeat);
    for (const message of early) cluster.deliver(message);
    cluster.settle();
    expect(cluster.member('a').reads.has(id)).toBe(false);
    cluster.run(3);
    expect(cluster.member('a').reads.has(id)).toBe(true);
  });

  test('learners confirm nothing', () => {
    const initial = configuration({ voters: ['a', 'b', 'c'], learners: ['l'] });
    const cluster = new Cluster({ members: ['a', 'b', 'c', 'l'], initial });
    cluster.elect('a');
    cluster.partition(['a', 'l'], ['b', 'c']);
    const id = cluster.read('a');
    cluster.run(4);
    expect(cluster.member('a').reads.has(id)).toBe(false);
  });

  test('before a commit in its own term a leader does not know what is committed: the read waits', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    for (const name of ['a', 'b']) {
      // Committed by the leader before, which this one cannot tell yet.
      cluster.begin(name, {
        hardState: { term: 1, vote: null, commit: 1 },
        snapshot: null,
        entries: entries([1, 1]),
        applied: 0,
      });
    }
    cluster.tick('a', 10);
    while (cluster.member('a').raft.role !== 'leader') {
      for (const name of ['a', 'b', 'c']) while (cluster.finishWrite(name)) continue;
      const message = cluster.inFlight.shift();
      if (message !== undefined) cluster.deliver(message);
    }
    const appends = cluster.intercept((message) => message.kind === 'appendEntries');
    const id = cluster.read('a');
    cluster.settle();
    expect(cluster.member('a').reads.has(id)).toBe(false);
    cluster.inFlight.push(...appends);
    cluster.settle();
    expect(cluster.member('a').reads.get(id)).toBe(3);
  });

  test('reads that come during a round share the next one', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    const ids = Array.from({ length: 100 }, () => cluster.read('a'));
    expect(cluster.inFlight.filter(isHeartbeat)).toHaveLength(2);
    let heartbeats = 0;
    while (cluster.inFlight.length > 0) {
      const message = cluster.inFlight.shift();
      if (message === undefined) break;
      if (isHeartbeat(message)) heartbeats += 1;
      cluster.deliver(message);
    }
    expect(heartbeats).toBe(4);
    expect(cluster.member('a').reads.size).toBe(ids.length);
  });

  test('a lost round is taken up by the next heartbeat', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    const id = cluster.read('a');
    cluster.intercept(isHeartbeat);
    cluster.run(3);
    expect(cluster.member('a').reads.has(id)).toBe(true);
  });

  test('a read without a known leader is refused at once', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    const id = cluster.read('a');
    expect(cluster.member('a').refusals).toEqual([{ id, reason: 'notLeader', leader: null }]);
  });

  test('a forwarded read whose question is lost is refused after an election timeout', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    const id = cluster.read('b');
    cluster.intercept((message) => message.kind === 'readIndex');
    cluster.run(9);
    expect(cluster.member('b').refusals).toEqual([]);
    cluster.run(3);
    expect(cluster.member('b').refusals).toEqual([{ id, reason: 'notLeader', leader: 'a' }]);
  });

  test('a forwarded read is refused when the leader changes, and a late answer is not a second one', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    const id = cluster.read('b');
    cluster.deliver(cluster.intercept((message) => message.kind === 'readIndex')[0]!);
    const confirmations = cluster.intercept(() => true);
    cluster.elect('c');
    expect(cluster.member('b').refusals).toMatchObject([{ id, reason: 'notLeader' }]);
    cluster.inFlight.push(...confirmations);
    cluster.settle();
    expect(cluster.member('b').reads.has(id)).toBe(false);
  });

  test('an answer meant for the node before it restarted is not taken for its own, though ids begin anew', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.step('b', { kind: 'read', id: 1 });
    const late: Message[] = [];
    for (let i = 0; i < 20; i += 1) {
      const message = cluster.inFlight.shift();
      if (message === undefined) break;
      if (message.kind === 'readIndexResponse') late.push(message);
      else cluster.deliver(message);
    }
    expect(late).toHaveLength(1);
    cluster.restart('b');
    cluster.run(3);
    cluster.propose('a', 'x');
    cluster.settle();
    cluster.step('b', { kind: 'read', id: 1 });
    cluster.intercept((message) => message.kind === 'readIndex');
    for (const message of late) cluster.deliver(message);
    expect(cluster.member('b').reads.has(1)).toBe(false);
    expect(cluster.member('b').raft.status().pendingReads).toBe(1);
  });

  test('so many reads may wait and no more', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.isolate('a');
    for (let i = 0; i < MAX_PENDING_READS + 1; i += 1) cluster.read('a');
    expect(cluster.member('a').refusals).toMatchObject([{ reason: 'readLimit' }]);
    cluster.run(12);
    expect(cluster.member('a').refusals).toHaveLength(MAX_PENDING_READS + 1);
  });
});

describe('lease reads (dissertation §6.4.1)', () => {
  function leased(): Cluster {
    const cluster = new Cluster({ members: ['a', 'b', 'c'], raft: { reads: 'lease' }, random: () => 0.5 });
    // After a start nobody is elected before a promise of earlier times would have ended.
    cluster.run(10);
    cluster.elect('a');
    cluster.run(3);
    return cluster;
  }

  test('are answered at once while a quorum answered lately', () => {
    const cluster = leased();
    const id = cluster.read('a');
    expect(cluster.member('a').reads.has(id)).toBe(true);
  });

  test('need a round when the answers are old', () => {
    const cluster = leased();
    cluster.isolate('a');
    cluster.tick('a', 8);
    const id = cluster.read('a');
    expect(cluster.member('a').raft.role).toBe('leader');
    expect(cluster.member('a').reads.has(id)).toBe(false);
  });

  test('count from the sending: a late answer renews nothing', () => {
    const cluster = leased();
    cluster.tick('a', 2);
    const heartbeats = cluster.intercept(isHeartbeat);
    cluster.isolate('a');
    cluster.tick('a', 6);
    cluster.heal();
    cluster.inFlight = heartbeats;
    cluster.settle();
    cluster.tick('a', 2);
    const id = cluster.read('a');
    expect(cluster.member('a').raft.role).toBe('leader');
    expect(cluster.member('a').reads.has(id)).toBe(false);
  });

  test('need a round after the clock had stopped', () => {
    const cluster = leased();
    cluster.step('a', { kind: 'stalled' });
    const id = cluster.read('a');
    expect(cluster.member('a').reads.has(id)).toBe(false);
    cluster.settle();
    expect(cluster.member('a').reads.has(id)).toBe(true);
  });

  test('need a round for ever after someone was told to take over: that message may arrive at any time', () => {
    const cluster = leased();
    cluster.step('a', { kind: 'transfer', to: node('b') });
    cluster.intercept((message) => message.kind === 'timeoutNow');
    cluster.run(15);
    expect(cluster.member('a').raft.status().transferringTo).toBeNull();
    const id = cluster.read('a');
    expect(cluster.member('a').reads.has(id)).toBe(false);
  });
});
