import { assert } from './assert.ts';
import type { RaftDependencies, RaftOptions, StoredState } from './config.ts';
import { Durability } from './durability.ts';
import type { Effects, PersistRequest, RefusalReason, RoleChange } from './effects.ts';
import type { Leadership } from './leadership.ts';
import { RaftLog } from './log.ts';
import { isVoter } from './membership.ts';
import { Outbox } from './outbox.ts';
import { ForwardedReads, type Reader } from './read-index.ts';
import type { Entry, HardState, Index, Message, NodeId, SnapshotMeta, Term } from './types.ts';

/** What a role needs exists only in that role. `votes`: true for granted. */
export type RoleState =
  | { readonly role: 'follower'; readonly leader: NodeId | null }
  | { readonly role: 'preCandidate' | 'candidate'; readonly votes: Map<NodeId, boolean> }
  | { readonly role: 'leader'; readonly lead: Leadership };

/** The state that all roles share, and the only way to change it; what a step asks for gathers in `out`. */
export class Core {
  readonly id: NodeId;
  readonly session: string;
  readonly options: RaftOptions;
  readonly log: RaftLog;
  readonly durability: Durability;
  readonly forwardedReads = new ForwardedReads();
  readonly #random: () => number;

  #term: Term;
  #vote: NodeId | null;
  #commitIndex: Index;
  #applied: Index;
  /** Entries up to here were given out to be applied. */
  #handedOut: Index;
  #state: RoleState = { role: 'follower', leader: null };

  tick = 0;
  electionElapsed = 0;
  electionTimeout = 0;
  /** When a leader was heard last, of whatever term: that one may count on a lease for a while (dissertation §6.4.1). */
  heardTick: number | null = null;
  /** Nothing before this tick counts for a lease: the driver's clock had stopped. */
  stalledTick = 0;
  /** From the report of a stalled disk until a write completes: such a node must not lead. */
  disk: 'working' | 'stalled' = 'working';
  /** Up to here the log is known to be equal to that of this term's leader, besides what is committed. */
  verifiedIndex: Index;
  out = new Outbox();

  #issuedHardState: HardState;
  #reported: RoleChange;
  /** Wait for writes of earlier steps. One a peer and kind: a newer one says all that an older one did. */
  #held = new Map<string, { readonly seq: number; readonly message: Message }>();
  #unfinishedRestore: SnapshotMeta | null;

  constructor(dependencies: RaftDependencies, options: RaftOptions, stored: StoredState) {
    const base = stored.snapshot ?? { index: 0, term: 0, configuration: stored.initial };
    this.id = dependencies.id;
    this.session = dependencies.session;
    this.#random = dependencies.random;
    this.options = options;
    this.log = new RaftLog(base, stored.entries);
    this.durability = new Durability(this.log.lastIndex);
    this.#term = stored.hardState.term;
    this.#vote = stored.hardState.vote;
    this.#commitIndex = Math.max(stored.hardState.commit, base.index, stored.applied);
    this.#applied = stored.applied;
    this.#handedOut = Math.max(stored.applied, base.index);
    this.#unfinishedRestore = stored.applied < base.index ? base : null;
    this.verifiedIndex = this.#commitIndex;
    this.#issuedHardState = stored.hardState;
    this.#reported = this.#roleChange();
    assert(this.#commitIndex <= this.log.lastIndex, 'everything committed is in the stored log');
    assert(this.log.lastTerm <= this.#term, 'the stored term is not behind the stored log');
    this.resetElectionTimer();
    // A restart forgets which leader this node has promised a lease to.
    if (options.reads === 'lease') this.heardTick = 0;
  }

  get term(): Term {
    return this.#term;
  }

  get vote(): NodeId | null {
    return this.#vote;
  }

  get commitIndex(): Index {
    return this.#commitIndex;
  }

  get applied(): Index {
    return this.#applied;
  }

  get state(): RoleState {
    return this.#state;
  }

  get leader(): NodeId | null {
    if (this.#state.role === 'leader') return this.id;
    return this.#state.role === 'follower' ? this.#state.leader : null;
  }

  /**
   * Learners and strangers never campaign. One that a change not yet known to be committed removes still may: the
   * change itself may need it as a leader (dissertation §4.2.2).
   */
  get mayCampaign(): boolean {
    const { log } = this;
    if (isVoter(log.configuration, this.id)) return true;
    if (log.configurationIndex <= this.#commitIndex) return false;
    return isVoter(log.configurationAt(log.configurationIndex - 1), this.id);
  }

  envelope(to: NodeId): { readonly from: NodeId; readonly to: NodeId; readonly term: Term } {
    return { from: this.id, to, term: this.#term };
  }

  send(message: Message): void {
    this.out.messages.push(message);
  }

  sendWhenDurable(message: Message): void {
    this.out.durableMessages.push(message);
  }

  resetElectionTimer(): void {
    const { electionTicks } = this.options;
    this.electionElapsed = 0;
    this.electionTimeout = electionTicks + Math.floor(this.#random() * electionTicks);
  }

  follow(term: Term, leader: NodeId | null): void {
    assert(term >= this.#term, 'the term never goes back');
    if (term > this.#term) {
      this.#term = term;
      this.#vote = null;
    }
    const before = this.#state;
    this.#state = { role: 'follower', leader };
    this.verifiedIndex = this.#commitIndex;
    this.resetElectionTimer();
    if (before.role === 'leader') this.#refuseReadersOf(before.lead);
    this.#refuseForwardedReads();
  }

  becomePreCandidate(votes: Map<NodeId, boolean>): void {
    assert(this.#state.role !== 'leader', 'a leader does not campaign');
    this.#state = { role: 'preCandidate', votes };
    this.resetElectionTimer();
    this.#refuseForwardedReads();
  }

  becomeCandidate(): void {
    assert(this.#state.role !== 'leader', 'a leader does not campaign');
    this.#term += 1;
    this.#vote = this.id;
    this.#state = { role: 'candidate', votes: new Map() };
    this.resetElectionTimer();
    this.#refuseForwardedReads();
  }

  becomeLeader(lead: Leadership): void {
    assert(this.#state.role === 'candidate', 'only a candidate is elected');
    assert(this.durability.promiseIsDurable, 'a leader has its term and vote on disk');
    this.#state = { role: 'leader', lead };
    this.heardTick = null;
  }

  grantVote(to: NodeId): void {
    assert(this.#vote === null || this.#vote === to, 'one vote a term');
    this.#vote = to;
  }

  append(entries: readonly Entry[]): void {
    this.log.append(entries);
    for (const entry of entries) this.out.entries.push(entry);
  }

  truncateFrom(index: Index): void {
    assert(this.#state.role === 'follower', 'only a follower truncates: a leader only appends');
    assert(index > this.#commitIndex, 'what is committed is never truncated');
    assert(this.out.entries.length === 0, 'a step truncates before it appends');
    this.log.truncateFrom(index);
    this.durability.truncated(index);
    this.out.truncateFrom = index;
  }

  restore(snapshot: SnapshotMeta): void {
    assert(this.#state.role === 'follower', 'only a follower takes a snapshot');
    assert(snapshot.index > this.#commitIndex, 'a snapshot never takes the state back');
    this.log.restore(snapshot);
    this.durability.replaced();
    this.#commitIndex = snapshot.index;
    this.#handedOut = snapshot.index;
    this.verifiedIndex = snapshot.index;
    this.#unfinishedRestore = null;
    this.out.snapshot = snapshot;
    this.out.restore = snapshot;
  }

  commitTo(index: Index): void {
    assert(index <= this.log.lastIndex, 'only what is in the log is committed');
    if (index > this.#commitIndex) this.#commitIndex = index;
  }

  appliedTo(index: Index): void {
    assert(index <= this.#handedOut, 'only what was handed out is applied');
    if (index > this.#applied) this.#applied = index;
  }

  compact(index: Index): void {
    assert(index <= this.#applied, 'only what is applied is compacted');
    if (index > this.log.baseIndex) this.log.compact(index);
  }

  /** The report may cross the completion that it missed; then nothing is stalled any more. */
  diskStalled(): void {
    if (this.durability.persistedSeq < this.durability.issuedSeq) this.disk = 'stalled';
  }

  persisted(seq: number): void {
    this.durability.persisted(seq);
    this.disk = 'working';
    for (const [key, { seq: awaited, message }] of this.#held) {
      if (awaited > this.durability.persistedSeq) continue;
      this.#held.delete(key);
      this.send(message);
    }
  }

  /** Ends a step: everything that it changed becomes what the driver has to do. */
  takeEffects(): Effects {
    const { out } = this;
    if (this.#unfinishedRestore !== null) {
      out.restore = this.#unfinishedRestore;
      this.#unfinishedRestore = null;
    }
    const request = this.#persistRequest();
    const roleChange = this.#takeRoleChange();
    const committed = this.#takeCommitted();
    assert(this.#applied <= this.#commitIndex && this.#commitIndex <= this.log.lastIndex, 'applied ≤ commit ≤ last');
    this.out = new Outbox();
    return out.effects({ persist: request === null ? [] : [request], committed, roleChange });
  }

  #persistRequest(): PersistRequest | null {
    const { out } = this;
    const promised = this.#term !== this.#issuedHardState.term || this.#vote !== this.#issuedHardState.vote;
    if (!promised && !out.changesLog) {
      for (const message of out.durableMessages) this.#sendOrHold(message);
      return null;
    }
    const claim = out.snapshot?.index ?? (out.entries.length > 0 ? this.log.lastIndex : null);
    const seq = this.durability.issue(claim, promised ? 'newPromise' : 'samePromise');
    const committedMore = this.#commitIndex > this.#issuedHardState.commit;
    const hardState = { term: this.#term, vote: this.#vote, commit: this.#commitIndex };
    this.#issuedHardState = hardState;
    return {
      seq,
      hardState: promised || committedMore ? hardState : null,
      truncateFrom: out.truncateFrom,
      entries: out.entries,
      snapshot: out.snapshot,
      messages: out.durableMessages,
    };
  }

  /** There is nothing to write, but what the message speaks of may be in flight since an earlier step. */
  #sendOrHold(message: Message): void {
    const { durability } = this;
    const logIsDurable = message.kind !== 'appendEntriesResponse' || message.index <= durability.stableIndex;
    if (durability.promiseIsDurable && logIsDurable) {
      this.send(message);
      return;
    }
    const key = `${message.kind} ${message.to}`;
    const held = this.#held.get(key)?.message;
    const saysMore =
      held?.kind === 'appendEntriesResponse' &&
      message.kind === 'appendEntriesResponse' &&
      held.term === message.term &&
      held.index >= message.index;
    if (!saysMore) this.#held.set(key, { seq: durability.issuedSeq, message });
  }

  #takeCommitted(): Entry[] {
    if (this.#applied < this.#handedOut) return [];
    const upTo = Math.min(this.#commitIndex, this.durability.stableIndex);
    if (upTo <= this.#handedOut) return [];
    const entries = this.log.slice(this.#handedOut + 1, upTo, this.options.maxApplyBytes);
    this.#handedOut += entries.length;
    return entries;
  }

  #roleChange(): RoleChange {
    return { role: this.#state.role, term: this.#term, leader: this.leader };
  }

  #takeRoleChange(): RoleChange | null {
    const { role, term, leader } = this.#reported;
    if (role === this.#state.role && term === this.#term && leader === this.leader) return null;
    this.#reported = this.#roleChange();
    return this.#reported;
  }

  #refuseForwardedReads(): void {
    for (const id of this.forwardedReads.drain()) this.out.refuse(id, 'notLeader', this.leader);
  }

  #refuseReadersOf(lead: Leadership): void {
    for (const reader of lead.reads.drain()) this.refuseRead(reader, 'notLeader');
  }

  /** Another node learns only that it is refused: it asks again either way. */
  refuseRead(reader: Reader, reason: RefusalReason): void {
    if (reader.kind === 'local') this.out.refuse(reader.id, reason, this.leader);
    else {
      const { id, session } = reader;
      this.send({ kind: 'readIndexResponse', ...this.envelope(reader.from), id, session, index: null });
    }
  }
}
