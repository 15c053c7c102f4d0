import { assert, unreachable } from './assert.ts';
import { countOwnVote, isAlone, startElection } from './candidate.ts';
import type { RaftDependencies, RaftOptions, StoredState } from './config.ts';
import { Core } from './core.ts';
import type { Effects, Input } from './effects.ts';
import { changeMembership, giveWay, isCaughtUp, propose, settleLeader, tickLeader, transfer } from './leader.ts';
import type { ProgressState } from './progress.ts';
import { expireForwardedReads, read } from './reading.ts';
import { receive } from './receive.ts';
import { handleSnapshotResult, handleUnreachable, isRecentlyActive } from './replication.ts';
import type { Configuration, Index, NodeId, Role, SnapshotMeta, Term } from './types.ts';

/** What a leader knows of one other member. */
export interface PeerProgress {
  readonly peer: NodeId;
  /** The peer holds everything up to here, durably. */
  readonly matchIndex: Index;
  readonly nextIndex: Index;
  readonly state: ProgressState;
  /** Heard of within an election timeout. */
  readonly recentActive: boolean;
  /** Appends that are not answered yet. */
  readonly inflight: number;
  /** Close enough behind to become a voter. */
  readonly caughtUp: boolean;
}

export interface RaftStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly vote: NodeId | null;
  readonly leader: NodeId | null;
  readonly firstIndex: Index;
  readonly lastIndex: Index;
  readonly stableIndex: Index;
  readonly commitIndex: Index;
  readonly applied: Index;
  readonly logBytes: number;
  readonly uncommittedBytes: number;
  readonly pendingReads: number;
  readonly transferringTo: NodeId | null;
  /** Messages that made no sense, since the start. */
  readonly droppedMessages: number;
  readonly configuration: Configuration;
  readonly progress: readonly PeerProgress[];
}

/**
 * The consensus core of one node: a state machine without I/O, clock or chance of its own. Every input is one `step`;
 * what it returns is all that has to be done, and nothing happens in between.
 */
export class Raft {
  readonly #core: Core;
  #droppedMessages = 0;

  constructor(dependencies: RaftDependencies, options: RaftOptions, stored: StoredState) {
    this.#core = new Core(dependencies, options, stored);
  }

  /** Never throws on what comes from others; an AssertionError tells of a broken invariant of this node. */
  step(input: Input): Effects {
    this.#take(input);
    const { state } = this.#core;
    if (state.role === 'leader') settleLeader(this.#core, state.lead);
    return this.#core.takeEffects();
  }

  get id(): NodeId {
    return this.#core.id;
  }

  get role(): Role {
    return this.#core.state.role;
  }

  get term(): Term {
    return this.#core.term;
  }

  get leader(): NodeId | null {
    return this.#core.leader;
  }

  get commitIndex(): Index {
    return this.#core.commitIndex;
  }

  get applied(): Index {
    return this.#core.applied;
  }

  get lastIndex(): Index {
    return this.#core.log.lastIndex;
  }

  get firstIndex(): Index {
    return this.#core.log.firstIndex;
  }

  /** The log up to here is on disk as it is in memory. */
  get stableIndex(): Index {
    return this.#core.durability.stableIndex;
  }

  /** Bytes of the entries in memory. */
  get logBytes(): number {
    return this.#core.log.bytes;
  }

  /** The one in force: the newest in the log, committed or not. */
  get configuration(): Configuration {
    return this.#core.log.configuration;
  }

  /** Bytes that this leader has appended or taken over and not committed yet; 0 at others. */
  get uncommittedBytes(): number {
    const { state } = this.#core;
    return state.role === 'leader' ? state.lead.uncommittedBytes : 0;
  }

  /** For a snapshot of the state at `index`, or for compaction up to there: not before the last compaction. */
  snapshotMeta(index: Index): SnapshotMeta {
    const { log, applied } = this.#core;
    const term = log.termAt(index);
    assert(term !== null && index <= applied, 'a snapshot is taken of what is applied and still in the log');
    return { index, term, configuration: log.configurationAt(index) };
  }

  /** Empty at others than the leader. */
  progress(): readonly PeerProgress[] {
    const { state } = this.#core;
    if (state.role !== 'leader') return [];
    const { lead } = state;
    return Array.from(lead.peers, ([peer, progress]) => ({
      peer,
      matchIndex: progress.matchIndex,
      nextIndex: progress.nextIndex,
      state: progress.state,
      recentActive: isRecentlyActive(this.#core, progress),
      inflight: progress.inflight,
      caughtUp: isCaughtUp(this.#core, lead, progress),
    }));
  }

  /** Plain data for metrics and tests. */
  status(): RaftStatus {
    const { id, term, vote, leader, commitIndex, applied, durability, log, state, forwardedReads } = this.#core;
    const lead = state.role === 'leader' ? state.lead : null;
    return {
      id,
      role: state.role,
      term,
      vote,
      leader,
      commitIndex,
      applied,
      firstIndex: log.firstIndex,
      lastIndex: log.lastIndex,
      stableIndex: durability.stableIndex,
      logBytes: log.bytes,
      uncommittedBytes: this.uncommittedBytes,
      pendingReads: (lead?.reads.count ?? 0) + forwardedReads.count,
      transferringTo: lead?.transfer?.to ?? null,
      droppedMessages: this.#droppedMessages,
      configuration: log.configuration,
      progress: this.progress(),
    };
  }

  #take(input: Input): void {
    const core = this.#core;
    switch (input.kind) {
      case 'tick':
        this.#tick();
        return;
      case 'stalled':
        core.stalledTick = core.tick + 1;
        return;
      case 'message':
        if (receive(core, input.message) === 'dropped') this.#droppedMessages += 1;
        return;
      case 'read':
        read(core, input.id);
        return;
      case 'persisted':
        core.persisted(input.seq);
        countOwnVote(core);
        return;
      case 'applied':
        core.appliedTo(input.index);
        return;
      case 'compact':
        core.compact(input.index);
        return;
      case 'diskStalled':
        core.diskStalled();
        if (core.state.role === 'leader') giveWay(core, core.state.lead);
        return;
      case 'propose':
      case 'changeMembership':
      case 'transfer':
      case 'unreachable':
      case 'snapshotResult':
        this.#takeAsLeader(input);
        return;
      default:
        unreachable(input);
    }
  }

  /** What only a leader can do something about. */
  #takeAsLeader(
    input: Extract<Input, { kind: 'propose' | 'changeMembership' | 'transfer' | 'unreachable' | 'snapshotResult' }>,
  ): void {
    const core = this.#core;
    if (core.state.role !== 'leader') {
      if (input.kind === 'propose' || input.kind === 'changeMembership')
        core.out.refuse(input.id, 'notLeader', core.leader);
      return;
    }
    const { lead } = core.state;
    switch (input.kind) {
      case 'propose':
        propose(core, lead, input.id, input.data);
        return;
      case 'changeMembership':
        changeMembership(core, lead, input.id, input.change);
        return;
      case 'transfer':
        transfer(core, lead, input.to);
        return;
      case 'unreachable':
        handleUnreachable(lead, input.peer);
        return;
      case 'snapshotResult':
        handleSnapshotResult(core, lead, input.peer, input.result);
        return;
      default:
        unreachable(input);
    }
  }

  #tick(): void {
    const core = this.#core;
    core.tick += 1;
    if (core.state.role === 'leader') {
      tickLeader(core, core.state.lead);
      return;
    }
    expireForwardedReads(core);
    core.electionElapsed += 1;
    if (isAlone(core) || core.electionElapsed >= core.electionTimeout) startElection(core);
  }
}
