import type { NodeId } from '../../src/ids.ts';

/**
 * What the rest of the node sees of the peer-to-peer network. Implemented by the libp2p host in this folder. Only
 * members reach any handler here but `join`; everyone on the network holds the cluster's key (pnet).
 */
export interface PeerNetwork {
  readonly self: NodeId;
  /** Multiaddrs under which peers reach this node: configured or bound, never guessed. */
  addresses(): readonly string[];
  /**
   * The members and where they were last known, this node left out. Connections to each are opened, kept and reopened
   * with jitter for ever; connections of anyone else are closed and their streams refused.
   */
  setMembers(members: ReadonlyMap<NodeId, readonly string[]>): void;
  connected(): readonly NodeId[];
  /** Members that are up as nodes of another cluster: they were recovered and this node was left behind. */
  foreign(): readonly NodeId[];
  onConnectivity(listener: (peer: NodeId, state: 'up' | 'down') => void): void;

  /** Fire and forget on the long-lived Raft stream. `dropped`: no stream, or its buffer is full. Never waits. */
  sendRaft(to: NodeId, frame: Uint8Array): 'sent' | 'dropped';
  onRaft(handler: (from: NodeId, frame: Uint8Array) => void): void;

  /**
   * One question, one answer, over the long-lived stream of that channel; many may be under way.
   * @throws Fault `peerUnreachable` when there is no stream or it broke (the outcome is then unknown), `timedOut`,
   *   `overloaded`; a Rejection or Fault that the handler threw comes through with its code.
   */
  request(to: NodeId, channel: Channel, body: Uint8Array, options: { readonly timeoutMs: number }): Promise<Uint8Array>;
  /** The first handler of a channel stands for good. */
  handle(channel: Channel, handler: (from: NodeId, body: Uint8Array) => Promise<Uint8Array>): void;

  /**
   * Opens a stream of its own at a peer and yields what its handler yields, with back-pressure end to end. For logs,
   * snapshots and blobs. An error thrown by the handler comes through with its code.
   */
  open(to: NodeId, body: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array>;
  handleOpen(handler: (from: NodeId, body: Uint8Array, signal: AbortSignal) => AsyncIterable<Uint8Array>): void;

  /** Lossy, newest wins. */
  publishCapacity(advert: Uint8Array): void;
  onCapacity(handler: (from: NodeId, advert: Uint8Array) => void): void;

  /** Answers nodes that are not members yet. The answer or the thrown Rejection goes back to the asker. */
  onJoin(handler: (from: NodeId, body: Uint8Array) => Promise<Uint8Array>): void;
  /**
   * Asks the given addresses, one after another, to let this node in.
   * @throws Rejection `joinRefused` and others as the member answered; Fault `peerUnreachable` when none was reached,
   *   with a message that tells a wrong key from an address where nobody listens as far as that can be known.
   */
  join(addresses: readonly string[], body: Uint8Array): Promise<Uint8Array>;

  /** What `/readyz` and the metrics tell. */
  stats(): NetworkStats;
  close(): Promise<void>;
}

/** `control`: proposals and reads for the leader, joins passed on. `dispatch`: leases, assignments, cancels. */
export type Channel = 'control' | 'dispatch';

export interface NetworkStats {
  readonly members: number;
  readonly connected: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly framesDropped: number;
}
