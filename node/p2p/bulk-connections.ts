import type { Connection, PeerId } from '@libp2p/interface';
import { Fault } from '../../src/errors.ts';
import { asError } from './frame-stream.ts';
import type { Host } from './libp2p-host.ts';
import type { NetworkLimits } from './limits.ts';

interface Bulk {
  readonly connection: Promise<Connection>;
  streams: number;
  idle: NodeJS.Timeout | null;
}

export interface BulkLease {
  readonly connection: Connection;
  release(): void;
}

/**
 * Logs, snapshots and blobs travel on TCP connections of their own, so that no heartbeat waits behind them. Dialled at
 * the first need, kept for a while; where a peer cannot be dialled from here the control connection has to do.
 */
export class BulkConnections {
  readonly #host: Host;
  readonly #limits: NetworkLimits;
  readonly #bulks = new Map<string, Bulk>();
  readonly #known = new WeakSet<Connection>();

  constructor(dependencies: { readonly host: Host }, limits: NetworkLimits) {
    this.#host = dependencies.host;
    this.#limits = limits;
  }

  /** Such a connection never carries control streams. */
  holds(connection: Connection): boolean {
    return this.#known.has(connection);
  }

  /** The peer uses that connection for bulk. */
  mark(connection: Connection): void {
    this.#known.add(connection);
  }

  /** @throws Fault `overloaded`, `peerUnreachable` */
  async lease(peer: PeerId, control: Connection, signal: AbortSignal): Promise<BulkLease> {
    const bulk = this.#of(peer, control);
    if (bulk.streams >= this.#limits.openStreamsPerPeer) throw new Fault('overloaded', 'too many streams to this peer');
    bulk.streams += 1;
    if (bulk.idle !== null) clearTimeout(bulk.idle);
    bulk.idle = null;
    const release = once(() => this.#release(peer, bulk));
    try {
      const connection = await abortable(bulk.connection, signal);
      return { connection, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  drop(peer: PeerId, reason: Error): void {
    const bulk = this.#bulks.get(peer.toString());
    if (bulk === undefined) return;
    this.#forget(peer, bulk);
    void bulk.connection.then(
      (connection) => connection.abort(reason),
      () => {},
    );
  }

  #of(peer: PeerId, control: Connection): Bulk {
    const key = peer.toString();
    const known = this.#bulks.get(key);
    if (known !== undefined) return known;
    const bulk: Bulk = { connection: this.#dial(peer, control), streams: 0, idle: null };
    this.#bulks.set(key, bulk);
    bulk.connection.then(
      (connection) => {
        if (connection.status !== 'open') this.#forget(peer, bulk);
        else connection.addEventListener('close', () => this.#forget(peer, bulk));
      },
      () => this.#forget(peer, bulk),
    );
    return bulk;
  }

  async #dial(peer: PeerId, control: Connection): Promise<Connection> {
    // The address that control reached the peer at is known to work; one that the peer dialled from is not.
    const target = control.direction === 'outbound' ? control.remoteAddr : peer;
    try {
      const connection = await this.#host.dial(target, {
        force: true,
        signal: AbortSignal.timeout(this.#limits.addressDialTimeoutMs),
      });
      if (connection === control) return control;
      this.#known.add(connection);
      return connection;
    } catch (error) {
      if (control.status === 'open') return control;
      throw new Fault('peerUnreachable', 'the peer cannot be dialled', { cause: error });
    }
  }

  #release(peer: PeerId, bulk: Bulk): void {
    bulk.streams -= 1;
    if (bulk.streams > 0 || this.#bulks.get(peer.toString()) !== bulk) return;
    bulk.idle = setTimeout(() => void this.#closeIdle(peer, bulk), this.#limits.bulkIdleMs);
    bulk.idle.unref();
  }

  async #closeIdle(peer: PeerId, bulk: Bulk): Promise<void> {
    this.#forget(peer, bulk);
    try {
      const connection = await bulk.connection;
      // Another peer's lease cannot come any more: the entry is gone.
      if (this.#known.has(connection)) await connection.close();
    } catch {
      // It is closed either way.
    }
  }

  #forget(peer: PeerId, bulk: Bulk): void {
    if (bulk.idle !== null) clearTimeout(bulk.idle);
    if (this.#bulks.get(peer.toString()) === bulk) this.#bulks.delete(peer.toString());
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}

async function abortable<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const abort = (): void => reject(asError(signal.reason));
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
