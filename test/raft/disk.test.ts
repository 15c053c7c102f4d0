import { describe, expect, test } from 'vitest';
import type { Effects } from '../../raft/effects.ts';
import { Raft } from '../../raft/raft.ts';
import type { Entry, Message, Term } from '../../raft/types.ts';
import { configuration, entries, node, OPTIONS, stored } from './support/builders.ts';
import { Cluster } from './support/cluster.ts';

function follower(log: readonly Entry[] = []): Raft {
  return new Raft(
    { id: node('a'), session: 'a#1', random: () => 0 },
    OPTIONS,
    stored({ initial: configuration({ voters: ['a', 'b', 'c'] }), entries: log }),
  );
}

function append(raft: Raft, term: Term, log: readonly Entry[], from = 'b', leaderCommit = 0): Effects {
  const first = log[0]?.index ?? raft.lastIndex + 1;
  const message: Message = {
    kind: 'appendEntries',
    from: node(from),
    to: node('a'),
    term,
    prevLogIndex: first - 1,
    prevLogTerm: first === 1 ? 0 : 1,
    entries: log,
    leaderCommit,
    session: null,
  };
  return raft.step({ kind: 'message', message });
}

describe('writing beside the sends (dissertation §10.2.1)', () => {
  test('a leader sends what it has not written yet', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.member('a').disk = 'held';
    cluster.propose('a', 'x');
    cluster.settle();
    expect(cluster.member('b').durable.lastIndex).toBe(2);
  });

  test('its own copy counts only once it is written', () => {
    const cluster = new Cluster({ members: ['a', 'b'] });
    cluster.elect('a');
    cluster.member('a').disk = 'held';
    cluster.propose('a', 'x');
    cluster.settle();
    expect(cluster.member('a').raft.commitIndex).toBe(1);
    cluster.finishWrite('a');
    expect(cluster.member('a').raft.commitIndex).toBe(2);
  });

  test('the others may commit without it, but its state machine waits for its own disk', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.member('a').disk = 'held';
    cluster.propose('a', 'x');
    cluster.settle();
    expect(cluster.member('a').raft.commitIndex).toBe(2);
    expect(cluster.appliedBy('b')).toEqual(['x']);
    expect(cluster.appliedBy('a')).toEqual([]);
    cluster.member('a').disk = 'prompt';
    cluster.settle();
    expect(cluster.appliedBy('a')).toEqual(['x']);
  });

  test('the commit that the disk knows rides on other writes: it never costs a write of its own', () => {
    const cluster = new Cluster({ members: ['a'] });
    cluster.run(1);
    cluster.propose('a', 'x');
    cluster.settle();
    expect(cluster.member('a').durableHardState.commit).toBe(1);
    expect(cluster.member('a').writes).toEqual([]);
    cluster.propose('a', 'y');
    cluster.settle();
    expect(cluster.member('a').durableHardState.commit).toBe(2);
  });
});

describe('acknowledgements', () => {
  test('leave with the write that they speak of', () => {
    const effects = append(follower(), 1, entries([1, 1]));
    expect(effects.messages).toEqual([]);
    expect(effects.persist).toMatchObject([
      { seq: 1, hardState: { term: 1 }, truncateFrom: null, messages: [{ success: true, index: 2 }] },
    ]);
  });

  test('of an append that brings nothing new wait for the write that is under way', () => {
    const raft = follower();
    append(raft, 1, entries([1, 1]));
    expect(append(raft, 1, entries([1, 1]))).toMatchObject({ messages: [], persist: [] });
    expect(raft.step({ kind: 'persisted', seq: 1 }).messages).toMatchObject([{ success: true, index: 2 }]);
  });

  test('never exceed what is on disk, in a term that is there already', () => {
    const raft = follower();
    append(raft, 1, entries([1]));
    raft.step({ kind: 'persisted', seq: 1 });
    append(raft, 1, entries([1], 2));
    const again = append(raft, 1, entries([1], 2));
    expect(again).toMatchObject({ messages: [], persist: [] });
    expect(append(raft, 1, []).messages).toEqual([]);
    expect(raft.step({ kind: 'persisted', seq: 2 }).messages).toMatchObject([{ success: true, index: 2 }]);
  });

  test('of many such appends are one message', () => {
    const raft = follower();
    append(raft, 1, entries([1, 1]));
    for (let i = 0; i < 100; i += 1) append(raft, 1, entries([1]));
    append(raft, 1, entries([1, 1]));
    append(raft, 1, entries([1]));
    expect(raft.step({ kind: 'persisted', seq: 1 }).messages).toMatchObject([{ index: 2 }]);
  });

  test('of what is on disk already leave at once', () => {
    const raft = follower();
    append(raft, 1, entries([1, 1]));
    raft.step({ kind: 'persisted', seq: 1 });
    append(raft, 1, entries([1], 3));
    expect(append(raft, 1, entries([1, 1])).messages).toMatchObject([{ success: true, index: 2 }]);
  });

  test('in a new term wait until that term is on disk, even for entries that are', () => {
    const raft = follower(entries([1, 1]));
    const effects = append(raft, 4, entries([1, 1]));
    expect(effects.messages).toEqual([]);
    expect(effects.persist).toMatchObject([{ hardState: { term: 4 }, entries: [], messages: [{ index: 2 }] }]);
    expect(append(raft, 4, entries([1, 1])).messages).toEqual([]);
  });

  test('a refusal promises nothing and leaves at once', () => {
    const effects = append(follower(), 1, entries([1], 5));
    expect(effects.messages).toMatchObject([{ success: false, index: 4, hintIndex: 0 }]);
  });

  test('of an older term do not count', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.isolate('c');
    cluster.propose('a', 'x');
    cluster.member('b').disk = 'held';
    cluster.settle();
    cluster.finishWrite('b');
    const late = cluster.intercept((message) => message.kind === 'appendEntriesResponse');
    cluster.member('b').disk = 'prompt';
    cluster.elect('b');
    cluster.elect('a');
    const before = cluster.member('a').raft.progress();
    for (const message of late) cluster.deliver(message);
    expect(cluster.member('a').raft.progress()).toEqual(before);
  });
});

describe('entries written, truncated and written again (ABA)', () => {
  const first = entries([1, 1, 1]);
  const other = entries([2], 2);

  test('the completion of the first write does not pass for the last', () => {
    const raft = follower();
    append(raft, 1, first, 'b');
    const truncating = append(raft, 2, other, 'c');
    expect(truncating.persist).toMatchObject([{ seq: 2, truncateFrom: 2 }]);
    append(raft, 3, first.slice(1), 'b');
    expect(raft.status()).toMatchObject({ lastIndex: 3, stableIndex: 0 });
    raft.step({ kind: 'persisted', seq: 1 });
    expect(raft.status().stableIndex).toBe(1);
    raft.step({ kind: 'persisted', seq: 2 });
    expect(raft.status().stableIndex).toBe(1);
    raft.step({ kind: 'persisted', seq: 3 });
    expect(raft.status().stableIndex).toBe(3);
  });

  test('an ack in the newest term waits for the newest write', () => {
    const raft = follower();
    append(raft, 1, first, 'b');
    append(raft, 2, other, 'c');
    append(raft, 3, first.slice(1), 'b');
    expect(append(raft, 3, first.slice(1), 'b').messages).toEqual([]);
    expect(raft.step({ kind: 'persisted', seq: 1 }).messages).toEqual([]);
    expect(raft.step({ kind: 'persisted', seq: 2 }).messages).toEqual([]);
    expect(raft.step({ kind: 'persisted', seq: 3 }).messages).toMatchObject([{ term: 3, success: true, index: 3 }]);
  });

  test('nothing is given out to apply that the disk may still lose', () => {
    const raft = follower();
    append(raft, 1, first, 'b');
    append(raft, 2, other, 'c');
    append(raft, 3, first.slice(1), 'b', 3);
    expect(raft.commitIndex).toBe(3);
    expect(raft.step({ kind: 'persisted', seq: 1 }).committed.map((entry) => entry.index)).toEqual([1]);
    raft.step({ kind: 'applied', index: 1 });
    expect(raft.step({ kind: 'persisted', seq: 2 }).committed).toEqual([]);
    expect(raft.step({ kind: 'persisted', seq: 3 }).committed.map((entry) => entry.index)).toEqual([2, 3]);
  });

  test('writes that complete together count together', () => {
    const raft = follower();
    append(raft, 1, first, 'b');
    append(raft, 2, other, 'c');
    raft.step({ kind: 'persisted', seq: 2 });
    expect(raft.status()).toMatchObject({ lastIndex: 2, stableIndex: 2 });
  });

  test('a snapshot voids what was in flight before it', () => {
    const raft = follower();
    append(raft, 1, first, 'b');
    const snapshot = { index: 2, term: 3, configuration: configuration({ voters: ['a', 'b', 'c'] }) };
    const envelope = { from: node('b'), to: node('a'), term: 3 };
    raft.step({ kind: 'message', message: { kind: 'installSnapshot', ...envelope, snapshot } });
    raft.step({ kind: 'persisted', seq: 1 });
    expect(raft.status().stableIndex).toBe(0);
    raft.step({ kind: 'persisted', seq: 2 });
    expect(raft.status().stableIndex).toBe(2);
  });
});
