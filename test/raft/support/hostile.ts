import type { Effects, Input } from '../../../raft/effects.ts';
import { Raft } from '../../../raft/raft.ts';
import type { Configuration, Entry, Index, Message, NodeId, Term } from '../../../raft/types.ts';
import { configuration, node, nodes, OPTIONS } from './builders.ts';
import { seeded } from './seeded.ts';

const NAMES = nodes('a', 'b', 'c', 'l', 'z');
const ME = node('a');

/**
 * One core among liars: messages that make sense by themselves and none together, from members and strangers, of old
 * and new terms and sessions; between them its own inputs, as a driver may give them.
 */
export class Hostile {
  readonly raft: Raft;
  readonly #random: () => number;
  /** What the core's log held last at an index, so that some of the lies fit. */
  readonly #terms = new Map<Index, Term>([[0, 0]]);
  #issued = 0;
  #handedOut: Index = 0;
  #requests = 0;

  constructor(seed: number) {
    this.#random = seeded(seed);
    const reads = this.#chance(0.5) ? 'lease' : 'readIndex';
    const voters = this.#chance(0.1) ? ['a'] : ['a', 'b', 'c'];
    this.raft = new Raft(
      { id: ME, session: 'a#1', random: this.#random },
      { ...OPTIONS, reads, maxInflightAppends: 2 },
      {
        hardState: { term: 0, vote: null, commit: 0 },
        snapshot: null,
        entries: [],
        applied: 0,
        initial: configuration({ voters, learners: ['l'] }),
      },
    );
  }

  /** Throws what the core throws. */
  step(): Effects {
    const effects = this.raft.step(this.#chance(0.45) ? { kind: 'message', message: this.#lie() } : this.#ownInput());
    for (const { seq, entries, snapshot } of effects.persist) {
      this.#issued = seq;
      if (snapshot !== null) this.#terms.set(snapshot.index, snapshot.term);
      for (const { index, term } of entries) this.#terms.set(index, term);
    }
    this.#handedOut = effects.restore?.index ?? effects.committed.at(-1)?.index ?? this.#handedOut;
    return effects;
  }

  #ownInput(): Input {
    const { raft } = this;
    const inputs: Input[] = [
      { kind: 'tick' },
      { kind: 'tick' },
      { kind: 'propose', id: this.#nextRequest(), data: new Uint8Array(3) },
      { kind: 'read', id: this.#nextRequest() },
      { kind: 'changeMembership', id: this.#nextRequest(), change: this.#anyChange() },
      { kind: 'transfer', to: this.#anyNode() },
      { kind: this.#chance(0.5) ? 'stalled' : 'diskStalled' },
      { kind: 'unreachable', peer: this.#anyNode() },
      { kind: 'snapshotResult', peer: this.#anyNode(), result: this.#chance(0.5) ? 'delivered' : 'failed' },
    ];
    if (this.#issued > 0) inputs.push({ kind: 'persisted', seq: 1 + this.#below(this.#issued) });
    if (this.#issued > 0) inputs.push({ kind: 'persisted', seq: this.#issued });
    if (this.#handedOut > raft.applied) inputs.push({ kind: 'applied', index: this.#handedOut });
    if (raft.applied >= raft.firstIndex) inputs.push({ kind: 'compact', index: raft.applied });
    return this.#pick(inputs);
  }

  #lie(): Message {
    const term = Math.max(0, this.raft.term + this.#below(4) - 2);
    const envelope = { from: this.#anyNode(), to: ME, term };
    const session = this.#chance(0.7) ? `${envelope.from}#1` : `${envelope.from}#2`;
    const near = (): Index => Math.max(0, this.raft.lastIndex + this.#below(6) - 3);
    const some = (): Term => this.#below(term + 1);
    const phase = this.#chance(0.5) ? 'vote' : 'preVote';
    const reason = this.#chance(0.8) ? 'timeout' : 'transfer';
    const granted = this.#chance(0.7);
    const hint = { hintIndex: near(), hintTerm: some() };
    const snapshot = { index: near(), term: some(), configuration: this.#anyConfiguration() };
    return this.#pick<Message>([
      { kind: 'requestVote', ...envelope, phase, reason, lastLogIndex: near(), lastLogTerm: some() },
      { kind: 'requestVoteResponse', ...envelope, phase, granted },
      { kind: 'appendEntries', ...envelope, ...this.#entriesAfter(near(), term), leaderCommit: near(), session: null },
      { kind: 'appendEntries', ...envelope, ...this.#entriesAfter(near(), term), leaderCommit: 0, session: 'a#1' },
      { kind: 'appendEntriesResponse', ...envelope, success: granted, index: near(), ...hint, session },
      { kind: 'heartbeat', ...envelope, commit: near(), readRound: this.#below(4), sentTick: this.#below(200) },
      {
        kind: 'heartbeatResponse',
        ...envelope,
        readRound: this.#below(3),
        sentTick: near(),
        session,
        lastIndex: near(),
      },
      { kind: 'installSnapshot', ...envelope, snapshot },
      { kind: 'readIndex', ...envelope, id: this.#below(9), session },
      { kind: 'readIndexResponse', ...envelope, id: this.#below(9), session: 'a#1', index: granted ? near() : null },
      { kind: 'timeoutNow', ...envelope, expectedLastIndex: near() },
    ]);
  }

  #entriesAfter(prevLogIndex: Index, term: Term): { prevLogIndex: Index; prevLogTerm: Term; entries: Entry[] } {
    const known = this.#terms.get(prevLogIndex);
    const prevLogTerm = known !== undefined && known <= term ? known : this.#below(term + 1);
    const entries: Entry[] = [];
    let last = prevLogTerm;
    for (let index = prevLogIndex + 1; index <= prevLogIndex + this.#below(4); index += 1) {
      last = Math.min(term, last + this.#below(2));
      const place = { index, term: last };
      if (this.#chance(0.8)) entries.push({ kind: 'data', ...place, data: new Uint8Array(this.#below(20)) });
      else entries.push({ kind: 'configuration', ...place, configuration: this.#anyConfiguration() });
    }
    return { prevLogIndex, prevLogTerm, entries };
  }

  #anyChange(): Extract<Input, { kind: 'changeMembership' }>['change'] {
    return { kind: this.#pick(['addLearner', 'promote', 'demote', 'remove'] as const), node: this.#anyNode() };
  }

  #anyConfiguration(): Configuration {
    return configuration({
      voters: this.#pick([['a', 'b', 'c'], ['b', 'c'], ['a', 'b'], ['a']]),
      outgoing: this.#chance(0.2) ? ['a', 'b', 'c'] : [],
      learners: this.#chance(0.3) ? ['l'] : [],
    });
  }

  #nextRequest(): number {
    this.#requests += 1;
    return this.#requests;
  }

  #anyNode(): NodeId {
    return this.#pick(NAMES);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#below(items.length)]!;
  }
}
