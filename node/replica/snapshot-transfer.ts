import type { Logger } from 'pino';
import type { Index, SnapshotMeta, Term } from '../../raft/types.ts';
import { Fault } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import { encodeOpen } from '../open-messages.ts';
import type { PeerNetwork } from '../p2p/network.ts';
import type { ReceivedSnapshot, SnapshotInbox, StateStore } from '../storage/ports.ts';
import type { Applier } from './applier.ts';
import { decodeSnapshotMeta, encodeControl, encodeSnapshotMeta } from './control-messages.ts';
import type { ReplicaTimes } from './limits.ts';
import type { RaftDriver } from './raft-driver.ts';
import type { Runtime } from './runtime.ts';

export interface SnapshotTransferParts {
  readonly self: NodeId;
  readonly network: PeerNetwork;
  readonly inbox: SnapshotInbox;
  readonly logger: Logger;
  readonly runtime: Runtime;
  readonly driver: RaftDriver;
  readonly applier: Applier;
}

/**
 * Brings a whole state to a follower that the log no longer reaches (paper §7). The leader tells it to fetch; the
 * follower pulls the bytes over a stream of their own, at its own pace, keeps them beside its state, and only then
 * hands the core the `installSnapshot` message.
 */
export class SnapshotTransfer {
  readonly #parts: SnapshotTransferParts;
  readonly #timeoutMs: number;
  #received: { readonly meta: SnapshotMeta; readonly snapshot: ReceivedSnapshot } | null = null;
  #fetching = false;
  #offers = 0;
  #underWay: Index | null = null;

  constructor(parts: SnapshotTransferParts, times: Pick<ReplicaTimes, 'snapshotTimeoutMs'>) {
    this.#parts = parts;
    this.#timeoutMs = times.snapshotTimeoutMs;
  }

  /** At the leader: where the oldest snapshot stands that a follower fetches; null: none has begun to. */
  get underWay(): Index | null {
    return this.#underWay;
  }

  /** At the leader. */
  async offer(to: NodeId, term: Term): Promise<void> {
    const { network, driver, logger } = this.#parts;
    let result: 'delivered' | 'failed' = 'delivered';
    this.#offers += 1;
    try {
      const request = encodeControl({ kind: 'fetchSnapshot', term });
      await network.request(to, 'control', request, { timeoutMs: this.#timeoutMs });
    } catch (error) {
      logger.warn({ peer: to, err: error }, 'a follower could not fetch the snapshot');
      result = 'failed';
    }
    this.#offers -= 1;
    if (this.#offers === 0) this.#underWay = null;
    driver.step({ kind: 'snapshotResult', peer: to, result });
  }

  /** At the leader: what the follower pulls. The first chunk tells where in the log it stands. */
  async *bytes(): AsyncIterable<Uint8Array> {
    const dump = await this.#parts.applier.read((store) => store.dump());
    if (this.#offers > 0) this.#underWay = Math.min(this.#underWay ?? dump.applied, dump.applied);
    try {
      yield encodeSnapshotMeta(this.#parts.driver.core.snapshotMeta(dump.applied));
      yield* dump.chunks;
    } finally {
      await dump.close();
    }
  }

  /** At the follower. @throws Fault when it did not arrive whole */
  async fetch(from: NodeId, term: Term): Promise<void> {
    if (this.#fetching) throw new Fault('overloaded', 'a snapshot is being fetched already');
    if (this.#parts.driver.restoring !== null) throw new Fault('overloaded', 'a snapshot is being installed');
    this.#fetching = true;
    const abort = new AbortController();
    const timer = this.#parts.runtime.after(this.#timeoutMs, () => abort.abort());
    try {
      await this.#fetch(from, term, abort.signal);
    } finally {
      timer.stop();
      this.#fetching = false;
    }
  }

  async #fetch(from: NodeId, term: Term, signal: AbortSignal): Promise<void> {
    const stream = this.#parts.network.open(from, encodeOpen({ kind: 'snapshot' }), signal);
    const chunks = stream[Symbol.asyncIterator]();
    try {
      const first = await chunks.next();
      if (first.done === true) throw new Fault('corrupt', 'the snapshot came without a head');
      const meta = decodeSnapshotMeta(first.value);
      const snapshot = await this.#receive(from, meta, { [Symbol.asyncIterator]: () => chunks });
      await this.#offerToCore(from, term, meta, snapshot);
    } finally {
      // Lets go of the stream, or the other one keeps its state's view open for it.
      await chunks.return?.();
    }
  }

  /** At the follower, once its log stands behind the snapshot. */
  async install(meta: SnapshotMeta): Promise<StateStore> {
    const received = this.#received;
    if (received?.meta.index !== meta.index)
      throw new Fault('corrupt', 'the snapshot to install is not the received one');
    this.#received = null;
    return received.snapshot.install();
  }

  async #receive(from: NodeId, meta: SnapshotMeta, chunks: AsyncIterable<Uint8Array>): Promise<ReceivedSnapshot> {
    const { runtime, inbox, logger } = this.#parts;
    const began = runtime.now();
    let bytes = 0;
    const counted = async function* () {
      for await (const chunk of chunks) {
        bytes += chunk.length;
        yield chunk;
      }
    };
    const snapshot = await inbox.receive(counted());
    const ms = Math.round(runtime.now() - began);
    logger.info({ from, index: meta.index, bytes, ms }, 'received a snapshot');
    return snapshot;
  }

  async #offerToCore(from: NodeId, term: Term, meta: SnapshotMeta, snapshot: ReceivedSnapshot): Promise<void> {
    if (snapshot.applied !== meta.index) throw new Fault('corrupt', 'the snapshot stands at another index than told');
    const received = { meta, snapshot };
    this.#received = received;
    const { self, driver } = this.#parts;
    driver.step({ kind: 'message', message: { kind: 'installSnapshot', from, to: self, term, snapshot: meta } });
    // The core takes it within the step, or never: a stale one is of no use.
    if (driver.restoring !== meta.index) {
      if (this.#received === received) this.#received = null;
      await snapshot.discard();
    }
  }
}
