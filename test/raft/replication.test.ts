import { describe, expect, test } from 'vitest';
import { Raft } from '../../raft/raft.ts';
import type { Message, Term } from '../../raft/types.ts';
import { configuration, data, entries, node, OPTIONS, stored, termsOf } from './support/builders.ts';
import { Cluster } from './support/cluster.ts';

const PAIR = configuration({ voters: ['a', 'b'] });

function append(parts: Partial<Extract<Message, { kind: 'appendEntries' }>>): Message {
  return {
    kind: 'appendEntries',
    from: node('b'),
    to: node('a'),
    term: 9,
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries: [],
    leaderCommit: 0,
    session: null,
    ...parts,
  };
}

function follower(terms: readonly Term[], term = terms.at(-1) ?? 0): Raft {
  return new Raft(
    { id: node('a'), session: 'a#1', random: () => 0 },
    OPTIONS,
    stored({ initial: PAIR, entries: entries(terms), hardState: { term, vote: null, commit: 0 } }),
  );
}

describe('replication (paper §5.3)', () => {
  test('a proposal at the leader is applied everywhere, in order', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    for (const text of ['x', 'y', 'z']) cluster.propose('a', text);
    cluster.settle();
    for (const name of ['a', 'b', 'c']) expect(cluster.appliedBy(name)).toEqual(['x', 'y', 'z']);
  });

  test('followers learn of a commit at once, not with the next heartbeat', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.propose('a', 'x');
    cluster.settle();
    expect(cluster.appliedBy('c')).toEqual(['x']);
  });

  test('an accepted proposal tells where it stands', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    const id = cluster.propose('a', 'x');
    expect(cluster.member('a').accepted.get(id)).toEqual({ index: 2, term: 1 });
  });

  test('others than the leader refuse and name the leader', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    const id = cluster.propose('b', 'x');
    expect(cluster.member('b').refusals).toEqual([{ id, reason: 'notLeader', leader: 'a' }]);
  });

  test('a follower that was away gets what it missed', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.isolate('c');
    for (const text of ['x', 'y', 'z']) cluster.propose('a', text);
    cluster.run(5);
    cluster.heal();
    cluster.run(5);
    expect(cluster.appliedBy('c')).toEqual(['x', 'y', 'z']);
  });

  test('a lost append is found by the next sign of life, without another proposal', () => {
    const cluster = new Cluster({ members: ['a', 'b'] });
    cluster.elect('a');
    cluster.propose('a', 'x');
    expect(cluster.intercept((message) => message.kind === 'appendEntries')).not.toEqual([]);
    cluster.run(8);
    expect(cluster.appliedBy('b')).toEqual(['x']);
  });

  test('a lost ack is found in the same way', () => {
    const cluster = new Cluster({ members: ['a', 'b'] });
    cluster.elect('a');
    cluster.propose('a', 'x');
    cluster.member('b').disk = 'held';
    cluster.settle();
    cluster.finishWrite('b');
    expect(cluster.intercept((message) => message.kind === 'appendEntriesResponse')).not.toEqual([]);
    cluster.member('b').disk = 'prompt';
    cluster.run(8);
    expect(cluster.appliedBy('a')).toEqual(['x']);
  });

  test('an append that the transport drops is sent again after the next sign of life', () => {
    const cluster = new Cluster({ members: ['a', 'b'] });
    cluster.elect('a');
    cluster.propose('a', 'x');
    cluster.intercept((message) => message.kind === 'appendEntries');
    cluster.step('a', { kind: 'unreachable', peer: node('b') });
    expect(cluster.member('a').raft.progress()).toMatchObject([{ state: 'probe', inflight: 0 }]);
    cluster.run(3);
    expect(cluster.appliedBy('b')).toEqual(['x']);
  });

  test('appends are sent ahead of their answers, so many and no more', () => {
    const cluster = new Cluster({ members: ['a', 'b'], raft: { maxInflightAppends: 3 } });
    cluster.elect('a');
    for (let i = 0; i < 10; i += 1) cluster.propose('a', `${i}`);
    const appends = cluster.inFlight.filter((message) => message.kind === 'appendEntries');
    expect(appends).toHaveLength(3);
    expect(cluster.member('a').raft.progress()).toMatchObject([{ state: 'replicate', inflight: 3 }]);
    cluster.settle();
    expect(cluster.appliedBy('b')).toHaveLength(10);
  });

  test('appends in flight are bounded by bytes', () => {
    const cluster = new Cluster({ members: ['a', 'b'], raft: { maxInflightBytes: 1000 } });
    cluster.elect('a');
    for (let i = 0; i < 10; i += 1) cluster.propose('a', 'x'.repeat(400));
    expect(cluster.inFlight.filter((message) => message.kind === 'appendEntries')).toHaveLength(3);
    cluster.settle();
    expect(cluster.appliedBy('b')).toHaveLength(10);
  });

  test('what waited is sent together, up to the limit of one append', () => {
    const cluster = new Cluster({ members: ['a', 'b'], raft: { maxInflightAppends: 1, maxAppendBytes: 1000 } });
    cluster.elect('a');
    for (let i = 0; i < 5; i += 1) cluster.propose('a', 'x'.repeat(400));
    const sizes: number[] = [];
    while (cluster.inFlight.length > 0) {
      const message = cluster.inFlight.shift();
      if (message?.kind === 'appendEntries') sizes.push(message.entries.length);
      if (message !== undefined) cluster.deliver(message);
      while (cluster.finishWrite('b')) sizes.push(0);
    }
    expect(sizes.filter((size) => size > 0)).toEqual([1, 2, 2]);
  });

  test('an append that came twice changes nothing', () => {
    const raft = follower([1, 1]);
    const message = append({ prevLogIndex: 1, prevLogTerm: 1, entries: entries([1], 2), term: 1 });
    expect(raft.step({ kind: 'message', message })).toMatchObject({
      persist: [],
      messages: [{ success: true, index: 2 }],
    });
  });

  test('a late short append does not cut off what came after it', () => {
    const raft = follower([1, 1, 1], 1);
    const message = append({ prevLogIndex: 0, entries: entries([1]), term: 1 });
    expect(raft.step({ kind: 'message', message })).toMatchObject({
      persist: [],
      messages: [{ success: true, index: 1 }],
    });
    expect(raft.lastIndex).toBe(3);
  });

  test('a follower’s commit never passes what the leader has confirmed, whatever a heartbeat says', () => {
    const raft = follower([1, 1, 1], 2);
    const envelope = { from: node('b'), to: node('a'), term: 2 };
    raft.step({ kind: 'message', message: { kind: 'heartbeat', ...envelope, commit: 3, readRound: 0, sentTick: 1 } });
    expect(raft.commitIndex).toBe(0);
    raft.step({ kind: 'message', message: append({ term: 2, prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 3 }) });
    expect(raft.commitIndex).toBe(2);
  });
});

describe('log repair (paper figure 7)', () => {
  const LEADER = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];

  test.each<[string, readonly Term[]]>([
    ['a: one entry missing', [1, 1, 1, 4, 4, 5, 5, 6, 6]],
    ['b: many entries missing', [1, 1, 1, 4]],
    ['c: one uncommitted entry too many', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ['d: uncommitted entries of a later term', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ['e: some missing and some too many', [1, 1, 1, 4, 4, 4, 4]],
    ['f: two whole terms that nobody else has', [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
    ['nothing at all', []],
  ])('%s', (_name, terms) => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    for (const [name, log] of [
      ['a', LEADER],
      ['b', LEADER],
      ['c', terms],
    ] as const) {
      const hardState = { term: 7, vote: null, commit: 0 };
      cluster.begin(name, { hardState, snapshot: null, entries: entries(log), applied: 0 });
    }
    cluster.isolate('c');
    cluster.elect('a');
    cluster.heal();
    cluster.run(4);
    expect(termsOf(cluster.member('c').durable.entries)).toEqual([...LEADER, 8]);
    expect(cluster.member('c').raft.commitIndex).toBe(11);
  });

  test('a refusal skips whole terms: the number of rounds follows the terms, not the entries', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    const own = [...Array<Term>(50).fill(1), ...Array<Term>(50).fill(4)];
    const other = [...Array<Term>(50).fill(1), ...Array<Term>(30).fill(2), ...Array<Term>(30).fill(3)];
    for (const [name, log] of [
      ['a', own],
      ['b', own],
      ['c', other],
    ] as const) {
      cluster.begin(name, {
        hardState: { term: 4, vote: null, commit: 0 },
        snapshot: null,
        entries: entries(log),
        applied: 0,
      });
    }
    cluster.isolate('c');
    cluster.elect('a');
    cluster.heal();
    let refusals = 0;
    for (let i = 0; i < 4; i += 1) cluster.tick('a');
    while (cluster.inFlight.length > 0) {
      const message = cluster.inFlight.shift();
      if (message?.kind === 'appendEntriesResponse' && !message.success) refusals += 1;
      if (message !== undefined) cluster.deliver(message);
      for (const name of cluster.members.keys()) while (cluster.finishWrite(name)) cluster.apply(name);
    }
    expect(refusals).toBeLessThanOrEqual(4);
    expect(termsOf(cluster.member('c').durable.entries)).toEqual([...own, 5]);
  });
});

describe('the commit rule (paper §5.4.2, figure 8)', () => {
  test('an entry of an older term is not committed by counting, even on a majority', () => {
    const raft = new Raft(
      { id: node('a'), session: 'a#1', random: () => 0 },
      OPTIONS,
      stored({ initial: configuration({ voters: ['a', 'b', 'c'] }), entries: entries([1, 2]) }),
    );
    const answer = (message: Record<string, unknown>): unknown =>
      raft.step({ kind: 'message', message: { from: 'b', to: 'a', session: 'b#1', ...message } as unknown as Message });
    const ack = { kind: 'appendEntriesResponse', term: 3, success: true, hintIndex: 0, hintTerm: 0 };
    for (let i = 0; i < 10; i += 1) raft.step({ kind: 'tick' });
    answer({ kind: 'requestVoteResponse', term: 3, phase: 'preVote', granted: true });
    raft.step({ kind: 'persisted', seq: 1 });
    answer({ kind: 'requestVoteResponse', term: 3, phase: 'vote', granted: true });
    expect(raft).toMatchObject({ role: 'leader', term: 3, lastIndex: 3 });
    raft.step({ kind: 'persisted', seq: 2 });
    // The state of figure 8 (c): the entry of term 2 is on a majority, the leader's own one is not.
    answer({ ...ack, index: 2 });
    expect(raft.commitIndex).toBe(0);
    answer({ ...ack, index: 3 });
    expect(raft.commitIndex).toBe(3);
  });

  test('it is committed together with the first entry of the leader’s own term', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    for (const name of ['a', 'b']) {
      cluster.begin(name, {
        hardState: { term: 2, vote: null, commit: 0 },
        snapshot: null,
        entries: entries([1, 2]),
        applied: 0,
      });
    }
    cluster.elect('a');
    expect(cluster.commits()).toEqual({ a: 3, b: 3, c: 3 });
  });

  test('a minority commits nothing', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.isolate('a');
    cluster.propose('a', 'x');
    cluster.settle();
    expect(cluster.member('a').raft.commitIndex).toBe(1);
  });

  test('what a cut-off leader appended is replaced by what the others committed', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.isolate('a');
    cluster.propose('a', 'lost');
    cluster.settle();
    cluster.elect('b');
    cluster.propose('b', 'kept');
    cluster.settle();
    cluster.heal();
    cluster.run(6);
    for (const name of ['a', 'b', 'c']) expect(cluster.appliedBy(name)).toEqual(['kept']);
  });
});

describe('back-pressure', () => {
  test('proposals are refused while too much is uncommitted, and taken again afterwards', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'], raft: { maxUncommittedBytes: 1000 } });
    cluster.elect('a');
    cluster.isolate('a');
    cluster.propose('a', 'x'.repeat(600));
    const refused = cluster.propose('a', 'x'.repeat(600));
    expect(cluster.member('a').refusals).toEqual([{ id: refused, reason: 'uncommittedLimit', leader: 'a' }]);
    cluster.heal();
    cluster.run(8);
    expect(cluster.member('a').raft.uncommittedBytes).toBe(0);
    const taken = cluster.propose('a', 'x'.repeat(600));
    expect(cluster.member('a').accepted.has(taken)).toBe(true);
  });

  test('one proposal larger than the limit is taken when nothing else is uncommitted', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'], raft: { maxUncommittedBytes: 1000 } });
    cluster.elect('a');
    const id = cluster.propose('a', 'x'.repeat(5000));
    expect(cluster.member('a').accepted.has(id)).toBe(true);
  });

  test('a new leader counts what it found uncommitted', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    for (const name of ['a', 'b']) {
      const found = [...entries([1]), { kind: 'data', index: 2, term: 1, data: data('x'.repeat(500)) } as const];
      cluster.begin(name, {
        hardState: { term: 1, vote: null, commit: 0 },
        snapshot: null,
        entries: found,
        applied: 0,
      });
    }
    cluster.member('a').disk = 'held';
    cluster.tick('a', 10);
    cluster.settle();
    cluster.finishWrite('a');
    for (let i = 0; i < 40 && cluster.member('a').raft.role !== 'leader'; i += 1) {
      cluster.finishWrite('b');
      cluster.finishWrite('c');
      const message = cluster.inFlight.shift();
      if (message !== undefined) cluster.deliver(message);
    }
    expect(cluster.member('a').raft.uncommittedBytes).toBeGreaterThan(500);
    cluster.member('a').disk = 'prompt';
    cluster.settle();
    expect(cluster.member('a').raft.uncommittedBytes).toBe(0);
  });

  test('committed entries are given out in bounded portions, the next once the last is applied', () => {
    const cluster = new Cluster({ members: ['a'], raft: { maxApplyBytes: 500 } });
    cluster.run(1);
    for (let i = 0; i < 4; i += 1) cluster.propose('a', 'x'.repeat(200));
    let given = 0;
    while (cluster.finishWrite('a')) given = Math.max(given, cluster.member('a').unapplied.length);
    expect(cluster.member('a').raft.commitIndex).toBe(5);
    expect(cluster.member('a').unapplied.map((entry) => entry.index)).toEqual([2]);
    cluster.apply('a');
    expect(cluster.member('a').unapplied.map((entry) => entry.index)).toEqual([3, 4]);
  });
});

describe('messages that make no sense', () => {
  const hostile: readonly Message[] = [
    append({ entries: entries([3], 7), prevLogIndex: 1, prevLogTerm: 1 }),
    append({ entries: entries([3, 2], 2), prevLogIndex: 1, prevLogTerm: 1 }),
    append({ entries: entries([99], 2), prevLogIndex: 1, prevLogTerm: 1 }),
    append({ prevLogIndex: -1 }),
    append({ leaderCommit: Number.NaN }),
    append({ term: 1.5 }),
    append({ to: node('elsewhere') }),
    append({ from: node('a') }),
  ];

  test.each(hostile.map((message, position) => [position, message] as const))(
    'number %d is dropped',
    (_position, message) => {
      const raft = follower([1, 1, 1]);
      expect(raft.step({ kind: 'message', message })).toMatchObject({ persist: [], messages: [] });
      expect(raft.status().droppedMessages).toBe(1);
    },
  );

  test('a second leader of the same term is not obeyed', () => {
    const raft = follower([1]);
    raft.step({ kind: 'message', message: append({}) });
    raft.step({ kind: 'message', message: append({ from: node('c') }) });
    expect(raft.leader).toBe('b');
    expect(raft.status().droppedMessages).toBe(1);
  });

  test('an append that contradicts what is committed is dropped', () => {
    const raft = new Raft(
      { id: node('a'), session: 'a#1', random: () => 0 },
      OPTIONS,
      stored({ initial: PAIR, entries: entries([1, 1, 1]), hardState: { term: 1, vote: null, commit: 2 } }),
    );
    raft.step({ kind: 'message', message: append({ prevLogIndex: 2, prevLogTerm: 1, entries: entries([9], 3) }) });
    expect(raft.lastIndex).toBe(3);
    const again = append({ prevLogIndex: 2, prevLogTerm: 1, entries: entries([8], 3) });
    expect(raft.step({ kind: 'message', message: again }).persist).toEqual([]);
    expect(raft.status().droppedMessages).toBe(1);
  });

  test('an ack beyond the leader’s own log is not believed', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    const envelope = { from: node('b'), to: node('a'), term: 1 };
    const hints = { hintIndex: 0, hintTerm: 0, session: cluster.member('b').session };
    cluster.step('a', {
      kind: 'message',
      message: { kind: 'appendEntriesResponse', ...envelope, success: true, index: 99, ...hints },
    });
    expect(cluster.member('a').raft.progress()[0]?.matchIndex).toBe(1);
  });
});
