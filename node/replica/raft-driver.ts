import type { Logger } from 'pino';
import type { RaftOptions, StoredState } from '../../raft/config.ts';
import type { Effects, Input, PersistRequest, Refusal, RoleChange } from '../../raft/effects.ts';
import { Raft } from '../../raft/raft.ts';
import type { Entry, Index, Message, RequestId, SnapshotMeta, Term } from '../../raft/types.ts';
import { Fault } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import type { TimingConfig } from '../config/config.ts';
import { decodeMessage, encodeMessage } from '../p2p/raft-codec.ts';
import type { PeerNetwork } from '../p2p/network.ts';
import type { LogStore } from '../storage/ports.ts';
import type { Runtime, Timer } from './runtime.ts';
import { TickWatch } from './tick-watch.ts';

/** What the core's effects mean to the rest of the replica. Called in the order in which they happened. */
export interface RaftListener {
  committed(entries: readonly Entry[]): void;
  accepted(id: RequestId, index: Index, term: Term): void;
  refused(refusal: Refusal): void;
  readable(id: RequestId, index: Index): void;
  snapshotWanted(to: NodeId, term: Term): void;
  /** The log has been replaced by this snapshot, durably; `applied` is told to the core when it completes. */
  restore(meta: SnapshotMeta): Promise<void>;
  roleChanged(change: RoleChange): void;
  /** Everything handed over so far is durable in this node's log. */
  persisted(): void;
  /** The disk failed, or an invariant: this node must stop. */
  fatal(error: unknown): void;
}

export interface RaftDriverDependencies {
  readonly self: NodeId;
  readonly session: string;
  readonly log: LogStore;
  readonly network: PeerNetwork;
  readonly runtime: Runtime;
  readonly logger: Logger;
}

/**
 * Carries the pure core's effects out: it owns the core's disk, network and time. Knows nothing of what entries mean.
 */
export class RaftDriver {
  readonly #dependencies: RaftDriverDependencies;
  readonly #timing: TimingConfig;
  readonly #raft: Raft;
  readonly #listener: RaftListener;
  #ticker: Timer | null = null;
  #lastTickAt: number;
  #tickQueued = false;
  /** Null: nothing depends on a lease. */
  readonly #watch: TickWatch | null;
  #persisting: { readonly since: number; reported: boolean }[] = [];
  #requests = 0;
  #restoring: Index | null = null;
  #stopped = false;

  constructor(
    dependencies: RaftDriverDependencies,
    options: { readonly timing: TimingConfig; readonly raft: RaftOptions; readonly stored: StoredState },
    listener: RaftListener,
  ) {
    this.#dependencies = dependencies;
    this.#timing = options.timing;
    this.#listener = listener;
    this.#lastTickAt = dependencies.runtime.now();
    const { electionTicks, reads } = options.raft;
    this.#watch = reads === 'lease' ? new TickWatch({ tickMs: options.timing.tickMs, electionTicks }) : null;
    this.#raft = new Raft(
      { id: dependencies.self, session: dependencies.session, random: () => dependencies.runtime.random() },
      options.raft,
      options.stored,
    );
  }

  /** The core's readable state; only this class steps it. */
  get core(): Omit<Raft, 'step'> {
    return this.#raft;
  }

  /** The snapshot that the core has taken in place of the log and that the state does not hold yet. */
  get restoring(): Index | null {
    return this.#restoring;
  }

  get persistInFlight(): boolean {
    return this.#persisting.length > 0;
  }

  start(): void {
    this.#dependencies.network.onRaft((from, frame) => this.#receive(from, frame));
    const { runtime } = this.#dependencies;
    this.#lastTickAt = runtime.now();
    this.#ticker = runtime.every(this.#timing.tickMs, () => this.#onTimer());
  }

  stop(): void {
    this.#stopped = true;
    this.#ticker?.stop();
  }

  nextRequest(): RequestId {
    this.#requests += 1;
    return this.#requests;
  }

  step(input: Input): void {
    if (this.#stopped) return;
    try {
      if (asksToRead(input) && this.#watch?.hasLostTime(this.#dependencies.runtime.now()) === true) {
        this.#carryOut(this.#raft.step({ kind: 'stalled' }));
      }
      this.#carryOut(this.#raft.step(input));
    } catch (error) {
      this.#listener.fatal(error);
    }
  }

  /** Messages that arrived during a stall lie in the event loop still: they go first, then one tick counts. */
  #onTimer(): void {
    if (this.#tickQueued) return;
    this.#tickQueued = true;
    const { runtime } = this.#dependencies;
    runtime.soon(() => {
      this.#tickQueued = false;
      const now = runtime.now();
      const late = now - this.#lastTickAt;
      this.#lastTickAt = now;
      this.#watchDisk(now);
      if (late > this.#timing.electionMs) this.step({ kind: 'stalled' });
      this.step({ kind: 'tick' });
      this.#watch?.ticked(now);
    });
  }

  #watchDisk(now: number): void {
    const oldest = this.#persisting[0];
    if (oldest === undefined || oldest.reported || now - oldest.since < this.#timing.electionMs) return;
    oldest.reported = true;
    this.#dependencies.logger.warn({ ms: Math.round(now - oldest.since) }, 'the disk is slow to sync the log');
    this.step({ kind: 'diskStalled' });
  }

  #receive(from: NodeId, frame: Uint8Array): void {
    const message = decodeMessage(frame);
    if (message === null || message.from !== from || message.to !== this.#dependencies.self) {
      this.#dependencies.logger.warn({ from }, 'dropped a malformed raft message');
      return;
    }
    this.step({ kind: 'message', message });
  }

  #carryOut(effects: Effects): void {
    const { restore } = effects;
    if (restore !== null) {
      if (effects.persist.every((request) => request.snapshot === null)) {
        throw new Fault('corrupt', 'the state on disk ends before the log begins: it was lost or put back from a copy');
      }
      this.#restoring = restore.index;
    }
    for (const message of effects.messages) this.#send(message);
    for (const request of effects.persist) void this.#persist(request, restore);
    if (effects.roleChange !== null) this.#listener.roleChanged(effects.roleChange);
    for (const { id, index, term } of effects.accepted) this.#listener.accepted(id, index, term);
    for (const refusal of effects.refused) this.#listener.refused(refusal);
    if (effects.committed.length > 0) this.#listener.committed(effects.committed);
    for (const { id, index } of effects.reads) this.#listener.readable(id, index);
    for (const { to, term } of effects.snapshots) this.#listener.snapshotWanted(to, term);
  }

  #send(message: Message): void {
    const sent = this.#dependencies.network.sendRaft(message.to, encodeMessage(message));
    if (sent === 'dropped' && message.kind === 'appendEntries') {
      queueMicrotask(() => this.step({ kind: 'unreachable', peer: message.to }));
    }
  }

  async #persist(request: PersistRequest, restore: SnapshotMeta | null): Promise<void> {
    const running = { since: this.#dependencies.runtime.now(), reported: false };
    this.#persisting.push(running);
    try {
      await this.#dependencies.log.persist(request);
      this.#persisting = this.#persisting.filter((other) => other !== running);
      if (this.#stopped) return;
      for (const message of request.messages) this.#send(message);
      this.step({ kind: 'persisted', seq: request.seq });
      if (restore !== null && request.snapshot !== null) {
        await this.#listener.restore(restore);
        if (this.#restoring === restore.index) this.#restoring = null;
        this.step({ kind: 'applied', index: restore.index });
      }
      this.#listener.persisted();
    } catch (error) {
      const fault =
        error instanceof Fault ? error : new Fault('diskFailed', 'the log cannot be written', { cause: error });
      if (!this.#stopped) this.#listener.fatal(fault);
    }
  }
}

function asksToRead(input: Input): boolean {
  return input.kind === 'read' || (input.kind === 'message' && input.message.kind === 'readIndex');
}
