import { describe, expect, test } from 'vitest';
import { Raft } from '../../raft/raft.ts';
import type { Message } from '../../raft/types.ts';
import { configuration, entries, node, OPTIONS, stored } from './support/builders.ts';
import { Cluster } from './support/cluster.ts';
import { seeded } from './support/seeded.ts';

const THREE = configuration({ voters: ['a', 'b', 'c'] });

function start(options: Partial<Parameters<typeof stored>[0]> = {}): Raft {
  return new Raft({ id: node('a'), session: 'a#1', random: () => 0 }, OPTIONS, stored({ initial: THREE, ...options }));
}

function voteRequest(parts: Partial<Extract<Message, { kind: 'requestVote' }>>): Message {
  return {
    kind: 'requestVote',
    from: node('b'),
    to: node('a'),
    term: 1,
    phase: 'vote',
    reason: 'timeout',
    lastLogIndex: 0,
    lastLogTerm: 0,
    ...parts,
  };
}

function heartbeat(term: number, from = 'b'): Message {
  return { kind: 'heartbeat', from: node(from), to: node('a'), term, commit: 0, readRound: 0, sentTick: 0 };
}

describe('elections (paper §5.2)', () => {
  test('a follower that hears nobody is elected by a majority, and the others follow it', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    expect(cluster.roles()).toEqual({ a: 'leader', b: 'follower', c: 'follower' });
    expect(cluster.member('b').raft.leader).toBe('a');
    expect(cluster.member('c').raft.term).toBe(1);
  });

  test('election timeouts lie between one and two times the option (§9.3)', () => {
    for (const [random, ticks] of [
      [0, 10],
      [0.5, 15],
      [0.999, 19],
    ] as const) {
      const raft = new Raft(
        { id: node('a'), session: 'a#1', random: () => random },
        OPTIONS,
        stored({ initial: THREE }),
      );
      for (let i = 1; i < ticks; i += 1) expect(raft.step({ kind: 'tick' }).messages).toEqual([]);
      expect(raft.step({ kind: 'tick' }).messages).not.toEqual([]);
    }
  });

  test('a split vote ends with a new election in a later term', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c', 'd'] });
    cluster.tick('a', 10);
    cluster.tick('b', 10);
    const requests = cluster.intercept((message) => message.kind === 'requestVote');
    for (const message of requests) {
      const [left, right] = [
        ['a', 'c'],
        ['b', 'd'],
      ] as const;
      const sameSide = [left, right].some(
        (side) => side.some((id) => id === message.from) && side.some((id) => id === message.to),
      );
      cluster.inFlight.push({ ...message, ...(sameSide ? {} : { to: node('nobody') }) });
    }
    cluster.settle();
    expect(cluster.leader).toBeNull();
    for (let i = 0; i < 12; i += 1) {
      cluster.tick('a');
      cluster.settle();
    }
    expect(cluster.leader?.id).toBe('a');
  });

  test('no vote request leaves before the own term and vote are on disk', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.member('a').disk = 'held';
    cluster.tick('a', 10);
    cluster.settle();
    expect(cluster.member('a').raft.role).toBe('candidate');
    expect(cluster.member('b').raft.term).toBe(0);
    cluster.finishWrite('a');
    cluster.settle();
    expect(cluster.member('b').raft.term).toBe(1);
    expect(cluster.member('a').raft.role).toBe('leader');
  });

  test('no new term begins before the last one is on disk, so that a slow disk piles none up', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.member('a').disk = 'held';
    cluster.tick('a', 10);
    cluster.settle();
    cluster.tick('a', 100);
    expect(cluster.member('a').raft.term).toBe(1);
    expect(cluster.member('a').writes).toHaveLength(1);
  });

  test('a vote is answered only once it is on disk', () => {
    const raft = start();
    const effects = raft.step({ kind: 'message', message: voteRequest({}) });
    expect(effects.messages).toEqual([]);
    expect(effects.persist).toMatchObject([
      { hardState: { term: 1, vote: 'b' }, messages: [{ kind: 'requestVoteResponse', granted: true, to: 'b' }] },
    ]);
  });

  test('the same vote asked again waits for the disk too, and is then repeated', () => {
    const raft = start();
    const first = raft.step({ kind: 'message', message: voteRequest({}) });
    expect(raft.step({ kind: 'message', message: voteRequest({}) })).toMatchObject({ messages: [], persist: [] });
    const later = raft.step({ kind: 'persisted', seq: first.persist[0]?.seq ?? 0 });
    expect(later.messages).toMatchObject([{ kind: 'requestVoteResponse', granted: true }]);
    const again = raft.step({ kind: 'message', message: voteRequest({}) });
    expect(again.messages).toMatchObject([{ kind: 'requestVoteResponse', granted: true }]);
  });

  test('a node votes once a term', () => {
    const raft = start();
    raft.step({ kind: 'message', message: voteRequest({}) });
    const effects = raft.step({ kind: 'message', message: voteRequest({ from: node('c') }) });
    expect(effects.messages).toMatchObject([{ to: 'c', granted: false }]);
  });

  test('the vote survives a restart', () => {
    const raft = start({ hardState: { term: 1, vote: node('b'), commit: 0 } });
    const effects = raft.step({ kind: 'message', message: voteRequest({ from: node('c') }) });
    expect(effects.messages).toMatchObject([{ to: 'c', granted: false }]);
  });

  test.each([
    { lastLogIndex: 2, lastLogTerm: 2, granted: false, why: 'the last term is older' },
    { lastLogIndex: 2, lastLogTerm: 3, granted: false, why: 'the same term, but shorter' },
    { lastLogIndex: 3, lastLogTerm: 3, granted: true, why: 'the logs are equal' },
    { lastLogIndex: 1, lastLogTerm: 4, granted: true, why: 'the last term is newer, though shorter' },
  ])('a vote is $granted when $why (§5.4.1)', ({ lastLogIndex, lastLogTerm, granted }) => {
    const raft = start({ entries: entries([1, 3, 3]) });
    const effects = raft.step({ kind: 'message', message: voteRequest({ term: 5, lastLogIndex, lastLogTerm }) });
    const answers = [...effects.messages, ...effects.persist.flatMap((request) => request.messages)];
    expect(answers).toMatchObject([{ kind: 'requestVoteResponse', granted }]);
  });

  test('a candidate that the own configuration does not know gets the vote: its own may be newer', () => {
    const raft = start();
    const effects = raft.step({ kind: 'message', message: voteRequest({ from: node('stranger') }) });
    expect(effects.persist[0]?.messages).toMatchObject([{ to: 'stranger', granted: true }]);
  });

  test('a late vote of an earlier term does not count', () => {
    const raft = start({ hardState: { term: 3, vote: null, commit: 0 } });
    const vote = { kind: 'requestVoteResponse', from: node('b'), to: node('a'), granted: true } as const;
    for (let i = 0; i < 10; i += 1) raft.step({ kind: 'tick' });
    raft.step({ kind: 'message', message: { ...vote, phase: 'preVote', term: 4 } });
    raft.step({ kind: 'persisted', seq: 1 });
    raft.step({ kind: 'message', message: { ...vote, phase: 'vote', term: 3 } });
    expect(raft).toMatchObject({ role: 'candidate', term: 4 });
    raft.step({ kind: 'message', message: { ...vote, phase: 'vote', term: 4 } });
    expect(raft.role).toBe('leader');
  });

  test('votes of learners and strangers do not count', () => {
    const cluster = new Cluster({
      members: ['a', 'b', 'c'],
      initial: configuration({ voters: ['a', 'b', 'c'], learners: ['l'] }),
    });
    cluster.isolate('a');
    cluster.tick('a', 10);
    const term = 1;
    for (const from of ['l', 'stranger']) {
      const envelope = { from: node(from), to: node('a'), term };
      cluster.step('a', {
        kind: 'message',
        message: { kind: 'requestVoteResponse', ...envelope, phase: 'preVote', granted: true },
      });
    }
    expect(cluster.member('a').raft.role).toBe('preCandidate');
  });

  test('learners and strangers never campaign', () => {
    const initial = configuration({ voters: ['a', 'b'], learners: ['l'] });
    const cluster = new Cluster({ members: ['a', 'b', 'l'], initial });
    cluster.join('stranger');
    cluster.tick('l', 100);
    cluster.tick('stranger', 100);
    expect(cluster.roles()).toMatchObject({ l: 'follower', stranger: 'follower' });
  });

  test('a leader that meets a newer term follows', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.elect('b');
    expect(cluster.roles()).toEqual({ a: 'follower', b: 'leader', c: 'follower' });
    expect(cluster.member('a').roleChanges.at(-1)).toEqual({ role: 'follower', term: 2, leader: 'b' });
  });
});

describe('pre-vote (dissertation §9.6)', () => {
  test('a cut-off node raises no terms and disturbs nobody when it returns', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.isolate('c');
    cluster.run(100);
    expect(cluster.member('c').raft.term).toBe(1);
    cluster.heal();
    cluster.run(5);
    expect(cluster.roles()).toEqual({ a: 'leader', b: 'follower', c: 'follower' });
    expect(cluster.member('a').raft.term).toBe(1);
  });

  test('asking changes nothing at the asked one', () => {
    const raft = start();
    const effects = raft.step({ kind: 'message', message: voteRequest({ phase: 'preVote', term: 9 }) });
    expect(effects).toMatchObject({ persist: [], messages: [{ phase: 'preVote', granted: true, term: 9 }] });
    expect(raft.term).toBe(0);
  });

  test('a refusal carries the higher term and the asker takes it over, so that it can win (openraft 1796)', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'], random: seeded(1) });
    // Of the two that are up `a` has the only log that can win but an old term, `b` a newer term and a shorter log.
    const log = entries([1, 1, 1]);
    cluster.begin('a', { hardState: { term: 1, vote: null, commit: 0 }, snapshot: null, entries: log, applied: 0 });
    const short = log.slice(0, 1);
    cluster.begin('b', { hardState: { term: 7, vote: null, commit: 0 }, snapshot: null, entries: short, applied: 0 });
    cluster.crash('c');
    cluster.run(40);
    expect(cluster.leader?.id).toBe('a');
    expect(cluster.leader?.raft.term).toBeGreaterThan(7);
  });

  test('an answer to an earlier term’s question does not count', () => {
    const raft = start({ hardState: { term: 3, vote: null, commit: 0 } });
    for (let i = 0; i < 10; i += 1) raft.step({ kind: 'tick' });
    const late = {
      kind: 'requestVoteResponse',
      from: node('b'),
      to: node('a'),
      phase: 'preVote',
      granted: true,
    } as const;
    raft.step({ kind: 'message', message: { ...late, term: 3 } });
    expect(raft.role).toBe('preCandidate');
    raft.step({ kind: 'message', message: { ...late, term: 4 } });
    expect(raft.role).toBe('candidate');
  });
});

describe('a heard leader (dissertation §4.2.3)', () => {
  test('is kept: votes are refused and the asker’s term is not taken', () => {
    const raft = start();
    raft.step({ kind: 'message', message: heartbeat(1) });
    const effects = raft.step({ kind: 'message', message: voteRequest({ from: node('c'), term: 9 }) });
    expect(effects).toMatchObject({ messages: [], persist: [] });
    expect(raft.term).toBe(1);
    const asked = raft.step({ kind: 'message', message: voteRequest({ from: node('c'), term: 9, phase: 'preVote' }) });
    expect(asked.messages).toMatchObject([{ phase: 'preVote', granted: false }]);
  });

  test('gives way to one that it asked to take over itself', () => {
    const raft = start();
    raft.step({ kind: 'message', message: heartbeat(1) });
    const effects = raft.step({
      kind: 'message',
      message: voteRequest({ from: node('c'), term: 2, reason: 'transfer' }),
    });
    expect(effects.persist[0]?.messages).toMatchObject([{ granted: true }]);
  });

  test('protects nobody after it was silent for an election timeout', () => {
    const raft = start();
    raft.step({ kind: 'message', message: heartbeat(1) });
    for (let i = 0; i < 9; i += 1) raft.step({ kind: 'tick' });
    const request = voteRequest({ from: node('c'), term: 2, phase: 'preVote' });
    expect(raft.step({ kind: 'message', message: request }).messages).toMatchObject([{ granted: false }]);
    raft.step({ kind: 'tick' });
    expect(raft.step({ kind: 'message', message: request }).messages).toMatchObject([{ granted: true }]);
  });

  test('protects nobody after the clock had stopped', () => {
    const raft = start();
    raft.step({ kind: 'message', message: heartbeat(1) });
    raft.step({ kind: 'stalled' });
    raft.step({ kind: 'tick' });
    const request = voteRequest({ from: node('c'), term: 2, phase: 'preVote' });
    expect(raft.step({ kind: 'message', message: request }).messages).toMatchObject([{ granted: true }]);
  });

  test('after a restart nobody is remembered, but a lease may have been promised: with lease reads it is waited out', () => {
    const raft = new Raft(
      { id: node('a'), session: 'a#2', random: () => 0.9 },
      { ...OPTIONS, reads: 'lease' },
      stored({ initial: THREE }),
    );
    const request = voteRequest({ from: node('c'), term: 2, phase: 'preVote' });
    expect(raft.step({ kind: 'message', message: request }).messages).toMatchObject([{ granted: false }]);
    for (let i = 0; i < 10; i += 1) raft.step({ kind: 'tick' });
    expect(raft.step({ kind: 'message', message: request }).messages).toMatchObject([{ granted: true }]);
  });
});

describe('check-quorum (§6.2)', () => {
  test('a leader that reaches no quorum for an election timeout really steps down', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.isolate('a');
    for (let i = 0; i < 9; i += 1) cluster.tick('a');
    expect(cluster.member('a').raft.role).toBe('leader');
    cluster.tick('a');
    expect(cluster.member('a').raft.role).toBe('follower');
    expect(cluster.member('a').raft.leader).toBeNull();
  });

  test('a leader that can send but hears nothing does not go on for ever', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'], random: seeded(1) });
    cluster.elect('a');
    cluster.cut('b', 'a');
    cluster.cut('c', 'a');
    cluster.run(40);
    expect(cluster.leader?.id).not.toBe('a');
    expect(cluster.leader).not.toBeNull();
  });

  test('a bridge does not keep a dead leader’s lease alive (openraft 2080)', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c', 'd', 'e'], random: seeded(1) });
    cluster.elect('a');
    // `c` reaches everyone; `a` reaches only `b` and `c`... and then only `c`.
    cluster.partition(['a', 'c'], ['b', 'c', 'd', 'e']);
    cluster.run(60);
    expect(cluster.member('a').raft.role).not.toBe('leader');
    expect(cluster.leader?.id).not.toBe('a');
    expect(cluster.leader).not.toBeNull();
  });

  test('one that answers with a newer term frees itself: the leader takes the term and a new election follows', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'], random: seeded(1) });
    cluster.begin('c', { hardState: { term: 5, vote: node('c'), commit: 0 }, snapshot: null, entries: [], applied: 0 });
    cluster.partition(['a', 'b'], ['c']);
    cluster.elect('a');
    cluster.heal();
    cluster.run(60);
    expect(cluster.leader?.raft.term).toBeGreaterThan(5);
    expect(new Set(Object.values(cluster.commits())).size).toBe(1);
  });
});

describe('a stalled disk', () => {
  test('makes a leader step down and hand over at once', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.member('a').disk = 'held';
    cluster.propose('a', 'x');
    cluster.settle();
    cluster.step('a', { kind: 'diskStalled' });
    expect(cluster.member('a').raft.role).toBe('follower');
    cluster.settle();
    expect(['b', 'c']).toContain(cluster.leader?.id);
    expect(cluster.appliedBy('b')).toEqual(['x']);
  });

  test('is none when every write has completed: the report crossed the completion', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.step('a', { kind: 'diskStalled' });
    cluster.step('b', { kind: 'diskStalled' });
    expect(cluster.member('a').raft.role).toBe('leader');
    cluster.tick('b', 10);
    expect(cluster.member('b').raft.role).toBe('preCandidate');
  });

  test('keeps a node from campaigning until a write completes', () => {
    const cluster = new Cluster({ members: ['a', 'b', 'c'] });
    cluster.elect('a');
    cluster.member('b').disk = 'held';
    cluster.propose('a', 'x');
    cluster.settle();
    cluster.step('b', { kind: 'diskStalled' });
    cluster.tick('b', 50);
    expect(cluster.member('b').raft.role).toBe('follower');
    cluster.finishWrite('b');
    cluster.tick('b');
    expect(cluster.member('b').raft.role).toBe('preCandidate');
  });
});
