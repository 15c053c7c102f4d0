import type { Logger } from 'pino';
import type { RaftOptions } from '../../raft/config.ts';
import type { Refusal, RoleChange } from '../../raft/effects.ts';
import type { Configuration, Entry, Index, MembershipChange, RequestId, SnapshotMeta, Term } from '../../raft/types.ts';
import type { Principal } from '../../src/auth.ts';
import { Fault, Rejection, unreachable } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import type { ChangeEvent } from '../../src/state/apply.ts';
import type { Command, CommandResult } from '../../src/state/commands.ts';
import type { ClusterState } from '../../src/state/state.ts';
import type { TimingConfig } from '../config/config.ts';
import type { PeerNetwork } from '../p2p/network.ts';
import type { LogStore, SnapshotInbox, StateStore } from '../storage/ports.ts';
import { Applier, loadState } from './applier.ts';
import { Compactor } from './compactor.ts';
import {
  type ControlAnswer,
  type ControlRequest,
  decodeControlAnswer,
  decodeControlRequest,
  encodeControl,
} from './control-messages.ts';
import type { ReplicaLimits, ReplicaTimes } from './limits.ts';
import { Proposer } from './proposer.ts';
import { RaftDriver } from './raft-driver.ts';
import { Reader } from './reader.ts';
import type { Runtime } from './runtime.ts';
import { SnapshotTransfer } from './snapshot-transfer.ts';

export interface ReplicaDependencies {
  readonly self: NodeId;
  /** Names this start of the node; different at every start. */
  readonly session: string;
  readonly log: LogStore;
  readonly store: StateStore;
  readonly inbox: SnapshotInbox;
  readonly network: PeerNetwork;
  readonly runtime: Runtime;
  readonly logger: Logger;
}

export interface ReplicaOptions {
  readonly timing: TimingConfig;
  readonly raft: RaftOptions;
  /** The membership of a node that has no log yet: itself when it makes a cluster, nobody when it joins one. */
  readonly initial: Configuration;
  readonly limits: ReplicaLimits;
  readonly times: ReplicaTimes;
}

export interface ReplicaListener {
  changed(events: readonly ChangeEvent[], index: Index): void;
  configuration(configuration: Configuration): void;
  roleChanged(change: RoleChange): void;
  /** A snapshot took the place of the whole state: what was derived from it must be made anew. */
  restored(): void;
  fatal(error: unknown): void;
}

/**
 * The one place where consensus and the domain meet: commands become entries, committed entries are applied, reads
 * wait for a confirmed index. To consensus an entry is bytes; to the domain the log is a sequence of commands.
 */
export class Replica {
  readonly #dependencies: ReplicaDependencies;
  readonly #times: ReplicaTimes;
  readonly #listener: ReplicaListener;
  readonly #applier: Applier;
  readonly #driver: RaftDriver;
  readonly #proposer: Proposer;
  readonly #reader: Reader;
  readonly #compactor: Compactor;
  readonly #snapshots: SnapshotTransfer;
  readonly #changes = new Map<RequestId, PromiseWithResolvers<void>>();
  #stopped = false;

  private constructor(
    dependencies: ReplicaDependencies,
    options: ReplicaOptions,
    listener: ReplicaListener,
    state: ClusterState,
  ) {
    const { runtime } = dependencies;
    const { limits, times } = options;
    this.#dependencies = dependencies;
    this.#times = times;
    this.#listener = listener;
    this.#applier = new Applier(
      state,
      dependencies.store,
      {
        results: (results) => this.#proposer.results(results),
        changed: (events, index) => listener.changed(events, index),
        applied: (index) => this.#driver.step({ kind: 'applied', index }),
        configuration: (entry) => listener.configuration(entry.configuration),
        fatal: (error) => this.#fatal(error),
      },
      runtime,
      limits,
    );
    this.#driver = new RaftDriver(
      dependencies,
      {
        timing: options.timing,
        raft: options.raft,
        stored: { ...dependencies.log.loaded, applied: this.#applier.applied, initial: options.initial },
      },
      {
        committed: (entries) => this.#committed(entries),
        accepted: (id) => this.#proposer.accepted(id),
        refused: (refusal) => this.#refused(refusal),
        readable: (id, index) => this.#reader.readable(id, index),
        snapshotWanted: (to, term) => void this.#snapshots.offer(to, term),
        restore: (meta) => this.#restore(meta),
        roleChanged: (change) => this.#roleChanged(change),
        persisted: () => this.#proposer.persisted(),
        fatal: (error) => this.#fatal(error),
      },
    );
    dependencies.log.forgetEntries();
    this.#proposer = new Proposer(
      {
        leader: () => this.leader,
        isLeader: () => this.isLeader,
        persistInFlight: () => this.#driver.persistInFlight,
        nextRequest: () => this.#driver.nextRequest(),
        append: (id, data) => this.#driver.step({ kind: 'propose', id, data }),
        forward: (to, proposals) => this.#forward(to, proposals),
      },
      runtime,
      { origin: dependencies.session, limits, times },
    );
    this.#reader = new Reader(
      {
        nextRequest: () => this.#driver.nextRequest(),
        request: (id) => this.#driver.step({ kind: 'read', id }),
        waitForApplied: (index) => this.#applier.waitFor(index),
      },
      runtime,
      { limits, times },
    );
    const parts = { driver: this.#driver, applier: this.#applier };
    this.#snapshots = new SnapshotTransfer({ ...dependencies, ...parts }, times);
    this.#compactor = new Compactor(
      { ...parts, log: dependencies.log, snapshots: this.#snapshots, fatal: (error) => this.#fatal(error) },
      limits,
    );
  }

  static async open(
    dependencies: ReplicaDependencies,
    options: ReplicaOptions,
    listener: ReplicaListener,
  ): Promise<Replica> {
    return new Replica(dependencies, options, listener, await loadState(dependencies.store));
  }

  start(): void {
    this.#dependencies.network.handle('control', (from, body) => this.#answer(from, decodeControlRequest(body)));
    this.#driver.start();
  }

  get state(): ClusterState {
    return this.#applier.state;
  }

  get applier(): Pick<Applier, 'read' | 'applied'> {
    return this.#applier;
  }

  get consensus(): RaftDriver['core'] {
    return this.#driver.core;
  }

  get leader(): NodeId | null {
    return this.#driver.core.leader;
  }

  get isLeader(): boolean {
    return this.#driver.core.role === 'leader';
  }

  get pendingProposals(): number {
    return this.#proposer.pendingCount;
  }

  /** See `Proposer.propose`. */
  propose(principal: Principal, commands: readonly Command[]): Promise<readonly CommandResult[]> {
    return this.#proposer.propose(principal, commands);
  }

  /** See `Reader.barrier`. */
  barrier(): Promise<void> {
    return this.#reader.barrier();
  }

  /**
   * Gives a node another role, or none, through the leader. Resolves once the change is committed.
   * @throws Rejection `invalidChange`, `changeInProgress`; Fault `noLeader`, `notLeader`, `peerUnreachable`, and
   *   `timedOut` when it may still be made or not
   */
  async changeMembership(node: NodeId, role: 'voter' | 'learner' | 'none'): Promise<void> {
    await this.#askLeader({ kind: 'changeMembership', node, role });
  }

  /** At the leader only: any change, as the core knows it. @throws as `changeMembership` */
  async change(change: MembershipChange): Promise<void> {
    await this.#changeHere(change);
  }

  /** Asks the leader to hand over to a voter; whether it comes to that, the next leader tells. */
  async transfer(to: NodeId): Promise<void> {
    await this.#askLeader({ kind: 'transfer', to });
  }

  /** Whom another member takes for members, itself included, with their addresses. */
  async askMembers(of: NodeId): Promise<ReadonlyMap<NodeId, readonly string[]>> {
    const answer = await this.#ask(of, { kind: 'members' }, this.#times.forwardTimeoutMs);
    return new Map(answer.kind === 'members' ? answer.members : []);
  }

  /** The snapshot's bytes for a follower that was told to fetch them. */
  snapshotBytes(): AsyncIterable<Uint8Array> {
    return this.#snapshots.bytes();
  }

  async close(): Promise<void> {
    this.#stopped = true;
    const fault = new Fault('stopping', 'this node is stopping');
    this.#driver.stop();
    this.#proposer.stop(fault);
    this.#reader.stop(fault);
    for (const change of this.#changes.values()) change.reject(fault);
    await this.#compactor.settled();
    await this.#applier.close();
    await this.#dependencies.log.close();
  }

  #committed(entries: readonly Entry[]): void {
    this.#applier.apply(entries);
    this.#compactor.consider();
  }

  #roleChanged(change: RoleChange): void {
    this.#listener.roleChanged(change);
    if (change.leader !== null) queueMicrotask(() => this.#proposer.leaderChanged());
  }

  #refused(refusal: Refusal): void {
    this.#proposer.refused(refusal);
    this.#reader.refused(refusal.id);
    this.#changes.get(refusal.id)?.reject(refusalError(refusal));
  }

  async #restore(meta: SnapshotMeta): Promise<void> {
    const { runtime, logger } = this.#dependencies;
    const began = runtime.now();
    await this.#applier.replace(meta, () => this.#snapshots.install(meta));
    const ms = Math.round(runtime.now() - began);
    logger.info({ index: meta.index, ms }, 'a snapshot took the place of the state');
    this.#listener.restored();
  }

  #fatal(error: unknown): void {
    if (!this.#stopped) this.#listener.fatal(error);
  }

  async #forward(to: NodeId, proposals: readonly Uint8Array[]): Promise<'taken' | 'refused'> {
    const answer = await this.#ask(to, { kind: 'propose', proposals }, this.#times.forwardTimeoutMs);
    return answer.kind === 'taken' ? 'taken' : 'refused';
  }

  async #askLeader(request: ControlRequest): Promise<ControlAnswer> {
    const leader = this.leader;
    if (leader === null) throw new Fault('noLeader', 'no leader is known at this node');
    if (leader === this.#dependencies.self) return this.#carryOut(leader, request);
    return this.#ask(leader, request, this.#times.proposalDeadlineMs);
  }

  async #ask(to: NodeId, request: ControlRequest, timeoutMs: number): Promise<ControlAnswer> {
    return decodeControlAnswer(
      await this.#dependencies.network.request(to, 'control', encodeControl(request), { timeoutMs }),
    );
  }

  async #answer(from: NodeId, request: ControlRequest): Promise<Uint8Array> {
    return encodeControl(await this.#carryOut(from, request));
  }

  async #carryOut(from: NodeId, request: ControlRequest): Promise<ControlAnswer> {
    switch (request.kind) {
      case 'propose':
        return { kind: this.#proposer.takeForwarded(request.proposals) };
      case 'changeMembership':
        return { kind: 'changed', index: await this.#giveRole(request.node, request.role) };
      case 'transfer':
        this.#driver.step({ kind: 'transfer', to: request.to });
        return { kind: 'taken' };
      case 'members':
        return { kind: 'members', members: this.#members() };
      case 'fetchSnapshot':
        await this.#snapshots.fetch(from, request.term);
        return { kind: 'fetched' };
      default:
        return unreachable(request);
    }
  }

  #members(): (readonly [NodeId, readonly string[]])[] {
    const { voters, outgoing, learners, learnersNext } = this.#driver.core.configuration;
    const ids = new Set([...voters, ...outgoing, ...learners, ...learnersNext]);
    return [...ids].map((id) => [id, this.state.nodes.get(id)?.addresses ?? []]);
  }

  async #giveRole(node: NodeId, role: 'voter' | 'learner' | 'none'): Promise<Index> {
    const change = membershipChange(this.#driver.core.configuration, node, role);
    return change === null ? this.#applier.applied : this.#changeHere(change);
  }

  async #changeHere(change: MembershipChange): Promise<Index> {
    const id = this.#driver.nextRequest();
    const answer = Promise.withResolvers<void>();
    this.#changes.set(id, answer);
    const deadline = this.#dependencies.runtime.after(this.#times.changeDeadlineMs, () =>
      answer.reject(changeTimedOut()),
    );
    try {
      this.#driver.step({ kind: 'changeMembership', id, change });
      const { lastIndex: index, term } = this.#driver.core;
      void this.#applier.waitFor(index).then(answer.resolve);
      await answer.promise;
      this.#expectOurs(index, term);
      return index;
    } finally {
      deadline.stop();
      this.#changes.delete(id);
    }
  }

  /** A leader that is replaced may have its last entries replaced too. */
  #expectOurs(index: Index, term: Term): void {
    const { core } = this.#driver;
    if (core.term === term) return;
    if (index < core.firstIndex) throw changeTimedOut();
    if (core.snapshotMeta(index).term !== term) {
      throw new Fault('notLeader', 'another leader took over before the change was committed: it was not made');
    }
  }
}

function changeTimedOut(): Fault {
  return new Fault('timedOut', 'the change of the membership was not committed in time; it may still be, or not');
}

/** Null: the configuration has it so already. */
function membershipChange(
  configuration: Configuration,
  node: NodeId,
  role: 'voter' | 'learner' | 'none',
): MembershipChange | null {
  const now = configuration.voters.includes(node)
    ? 'voter'
    : configuration.learners.includes(node)
      ? 'learner'
      : 'none';
  if (now === role) return null;
  if (role === 'none') return { kind: 'remove', node };
  if (role === 'voter') return { kind: 'promote', node };
  return { kind: now === 'voter' ? 'demote' : 'addLearner', node };
}

function refusalError(refusal: Refusal): Error {
  switch (refusal.reason) {
    case 'invalidChange':
      return new Rejection('invalidChange', 'the membership cannot be changed so: a voter must remain and be known');
    case 'changeInProgress':
      return new Rejection('changeInProgress', 'another change of the membership is under way; try again');
    case 'noCommitInTerm':
    case 'leadershipTransfer':
    case 'uncommittedLimit':
    case 'readLimit':
    case 'notLeader':
      return new Fault('notLeader', 'the leader could not take it; try again');
  }
}
