import { describe, expect, test } from 'vitest';
import { Raft } from '../../raft/raft.ts';
import type { Message, SnapshotMeta } from '../../raft/types.ts';
import { configuration, entries, node, OPTIONS, stored } from './support/builders.ts';
import { Cluster } from './support/cluster.ts';

const PAIR = configuration({ voters: ['a', 'b'] });

function install(snapshot: Partial<SnapshotMeta>, term = 5): Message {
  const meta = { index: 10, term: 4, configuration: PAIR, ...snapshot };
  return { kind: 'installSnapshot', from: node('b'), to: node('a'), term, snapshot: meta };
}

function follower(parts: Partial<Parameters<typeof stored>[0]>): Raft {
  return new Raft({ id: node('a'), session: 'a#1', random: () => 0 }, OPTIONS, stored({ initial: PAIR, ...parts }));
}

function compacted(): Cluster {
  const cluster = new Cluster({ members: ['a', 'b', 'c'] });
  cluster.elect('a');
  cluster.isolate('c');
  for (let i = 0; i < 10; i += 1) cluster.propose('a', `${i}`);
  cluster.settle();
  cluster.member('a').compact(8);
  return cluster;
}

describe('snapshots (paper §7)', () => {
  test('a follower whose next entry is compacted away gets a snapshot and then the rest of the log', () => {
    const cluster = compacted();
    cluster.heal();
    cluster.run(8);
    expect(cluster.appliedBy('c')).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    cluster.propose('a', 'more');
    cluster.settle();
    expect(cluster.appliedBy('c').at(-1)).toBe('more');
  });

  test('nothing else is sent while one is under way', () => {
    const cluster = compacted();
    cluster.heal();
    cluster.tick('a', 2);
    let offered = 0;
    for (let i = 0; i < 50; i += 1) {
      const message = cluster.inFlight.shift();
      if (message === undefined) break;
      if (message.kind === 'installSnapshot') offered += 1;
      else cluster.deliver(message);
    }
    expect(offered).toBe(1);
    cluster.tick('a', 4);
    cluster.propose('a', 'x');
    expect(cluster.inFlight.some((message) => message.kind === 'appendEntries' && message.to === 'c')).toBe(false);
    expect(cluster.member('a').raft.progress()).toMatchObject([{ peer: 'b' }, { peer: 'c', state: 'snapshot' }]);
  });

  test('a failed one is tried again after the next sign of life', () => {
    const cluster = compacted();
    cluster.heal();
    cluster.tick('a', 2);
    cluster.cut('a', 'c');
    cluster.run(1);
    cluster.heal();
    cluster.run(8);
    expect(cluster.appliedBy('c')).toHaveLength(10);
  });

  test('one is offered when what was lost on its way has been compacted since', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'], raft: { maxInflightAppends: 3 } });
    cluster.elect('a');
    for (let i = 0; i < 10; i += 1) cluster.propose('a', `${i}`);
    cluster.intercept((message) => message.kind === 'appendEntries' && message.to === 'c');
    cluster.settle();
    expect(cluster.member('a').raft.progress()).toMatchObject([{ peer: 'b' }, { state: 'replicate', inflight: 3 }]);
    cluster.member('a').compact(11);
    cluster.run(8);
    expect(cluster.appliedBy('c')).toHaveLength(10);
  });

  test('none is offered to a peer that does not answer', () => {
    const cluster = compacted();
    const effects = Array.from({ length: 15 }, () => cluster.step('a', { kind: 'tick' }));
    expect(effects.flatMap((effect) => effect.snapshots)).toEqual([]);
  });

  test('the ack leaves only after the snapshot is on disk', () => {
    const raft = follower({});
    const effects = raft.step({ kind: 'message', message: install({}) });
    expect(effects.messages).toEqual([]);
    expect(effects.restore).toMatchObject({ index: 10, term: 4 });
    expect(effects.persist).toMatchObject([{ snapshot: { index: 10 }, messages: [{ success: true, index: 10 }] }]);
  });

  test('a stale one is answered with the commit and changes nothing', () => {
    const log = entries([1, 1, 1]);
    const raft = follower({ entries: log, hardState: { term: 1, vote: null, commit: 3 }, applied: 3 });
    const { persist } = raft.step({ kind: 'message', message: install({ index: 2, term: 1 }) });
    expect(persist).toMatchObject([{ snapshot: null, entries: [], messages: [{ success: true, index: 3 }] }]);
  });

  test('one whose last entry is in the log only moves the commit: nothing is thrown away', () => {
    const raft = follower({ entries: entries([1, 1, 1, 1]), hardState: { term: 5, vote: null, commit: 0 } });
    const effects = raft.step({ kind: 'message', message: install({ index: 2, term: 1 }) });
    expect(effects).toMatchObject({ restore: null, messages: [{ success: true, index: 2 }] });
    expect(effects.committed.map((entry) => entry.index)).toEqual([1, 2]);
    expect(raft.lastIndex).toBe(4);
  });

  test('entries that conflict with it are discarded, with all that follow (hashicorp 697)', () => {
    const raft = follower({ entries: entries([1, 1, 2, 2, 2]) });
    const effects = raft.step({ kind: 'message', message: install({ index: 3, term: 4 }) });
    expect(effects.restore).toMatchObject({ index: 3, term: 4 });
    expect(raft).toMatchObject({ firstIndex: 4, lastIndex: 3, commitIndex: 3 });
  });

  test('while it is not restored, nothing committed is given out', () => {
    const raft = follower({});
    raft.step({ kind: 'message', message: install({}) });
    raft.step({ kind: 'persisted', seq: 1 });
    const more: Message = {
      kind: 'appendEntries',
      from: node('b'),
      to: node('a'),
      term: 5,
      prevLogIndex: 10,
      prevLogTerm: 4,
      entries: entries([5], 11),
      leaderCommit: 11,
      session: null,
    };
    raft.step({ kind: 'message', message: more });
    expect(raft.step({ kind: 'persisted', seq: 2 }).committed).toEqual([]);
    expect(raft.step({ kind: 'applied', index: 10 }).committed).toMatchObject([{ index: 11 }]);
  });

  test('its membership counts, also after a restart', () => {
    const initial = configuration({ voters: [] });
    const raft = follower({ initial });
    const membership = configuration({ voters: ['b'], learners: ['a'] });
    const snapshot = { index: 10, term: 4, configuration: membership };
    raft.step({ kind: 'message', message: install(snapshot) });
    expect(raft.configuration).toEqual(membership);
    const hardState = { term: 5, vote: null, commit: 10 };
    expect(follower({ initial, snapshot, hardState, applied: 10 }).configuration).toEqual(membership);
  });

  test('one that was on disk but not restored when the node died is asked for again at the start', () => {
    const snapshot = { index: 10, term: 4, configuration: PAIR };
    const raft = follower({ snapshot, hardState: { term: 5, vote: null, commit: 10 }, applied: 2 });
    expect(raft.step({ kind: 'tick' }).restore).toEqual(snapshot);
    expect(raft.step({ kind: 'tick' }).restore).toBeNull();
  });

  test('a follower that lost its disk under the same id is healed', () => {
    const cluster = compacted();
    cluster.heal();
    cluster.run(8);
    cluster.member('c').loseDisk();
    cluster.invariants.forget(cluster.member('c'));
    cluster.run(8);
    expect(cluster.appliedBy('c')).toHaveLength(10);
  });
});

describe('compaction', () => {
  test('keeps what the driver asks for, and the term and the membership at its edge', () => {
    const cluster = compacted();
    const { raft } = cluster.member('a');
    expect(raft.firstIndex).toBe(9);
    expect(raft.snapshotMeta(8)).toEqual({ index: 8, term: 1, configuration: raft.configuration });
  });

  test('never passes what is applied', () => {
    const cluster = new Cluster({ members: ['a', 'b'] });
    cluster.elect('a');
    cluster.cut('b', 'a');
    cluster.propose('a', 'x');
    expect(() => cluster.step('a', { kind: 'compact', index: 2 })).toThrow('only what is applied is compacted');
  });

  test('one that comes late, for what is compacted already, changes nothing', () => {
    const cluster = compacted();
    cluster.step('a', { kind: 'compact', index: 3 });
    expect(cluster.member('a').raft.firstIndex).toBe(9);
  });
});
