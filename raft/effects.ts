import type {
  Entry,
  HardState,
  Index,
  MembershipChange,
  Message,
  NodeId,
  RequestId,
  Role,
  SnapshotMeta,
  Term,
} from './types.ts';

/** Everything that can happen to the core. The driver owns the disk, the network and time. */
export type Input =
  /** One tick of the driver's clock. After a stall the driver sends one, not the missed ones. */
  | { readonly kind: 'tick' }
  /** The driver noticed that ticks came late: leases held or granted no longer count. */
  | { readonly kind: 'stalled' }
  | { readonly kind: 'message'; readonly message: Message }
  /** `data` becomes one entry; it is refused or appended as a whole. */
  | { readonly kind: 'propose'; readonly id: RequestId; readonly data: Uint8Array }
  | { readonly kind: 'changeMembership'; readonly id: RequestId; readonly change: MembershipChange }
  | { readonly kind: 'read'; readonly id: RequestId }
  | { readonly kind: 'transfer'; readonly to: NodeId }
  /** All of `PersistRequest` with this and every earlier seq is durable. */
  | { readonly kind: 'persisted'; readonly seq: number }
  /** The state machine holds everything up to and including `index`. */
  | { readonly kind: 'applied'; readonly index: Index }
  | { readonly kind: 'unreachable'; readonly peer: NodeId }
  | { readonly kind: 'snapshotResult'; readonly peer: NodeId; readonly result: 'delivered' | 'failed' }
  /** The log up to `index` is no longer needed: the durable state machine holds it. */
  | { readonly kind: 'compact'; readonly index: Index }
  /** A sync is under way for longer than an election timeout: a leader steps down, unless nobody else votes. */
  | { readonly kind: 'diskStalled' };

/**
 * One atomic, synced write. The order of its parts: truncate, append, then hard state and snapshot; the storage may
 * merge several consecutive requests into one batch but must keep their order. With `snapshot` the log is replaced:
 * everything in it is dropped and it begins anew behind `snapshot.index`.
 */
export interface PersistRequest {
  readonly seq: number;
  readonly hardState: HardState | null;
  /** Entries from this index on are dropped first; null when nothing conflicts. */
  readonly truncateFrom: Index | null;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | null;
  /** To be sent only once this request is durable: votes, vote requests, append acknowledgements. */
  readonly messages: readonly Message[];
}

export type RefusalReason =
  | 'notLeader'
  | 'leadershipTransfer'
  | 'uncommittedLimit'
  | 'readLimit'
  | 'changeInProgress'
  | 'noCommitInTerm'
  | 'invalidChange';

export interface Refusal {
  readonly id: RequestId;
  readonly reason: RefusalReason;
  readonly leader: NodeId | null;
}

export interface RoleChange {
  readonly role: Role;
  readonly term: Term;
  readonly leader: NodeId | null;
}

/** What the driver has to do after a step. Empty parts are empty arrays or null; nothing is implied. */
export interface Effects {
  readonly persist: readonly PersistRequest[];
  /** To be sent at once, beside the disk write: appends and heartbeats. */
  readonly messages: readonly Message[];
  /** Committed and not handed out before, in index order; may hold noop and configuration entries. */
  readonly committed: readonly Entry[];
  /** Accepted proposals and where they stand; committed only if the entry at `index` still has `term` then. */
  readonly accepted: readonly { readonly id: RequestId; readonly index: Index; readonly term: Term }[];
  readonly refused: readonly Refusal[];
  /** A read may be served once the state machine has applied `index`. Each id is answered here or in `refused`. */
  readonly reads: readonly { readonly id: RequestId; readonly index: Index }[];
  /** Peers that need a snapshot; answered by a `snapshotResult`. */
  readonly snapshots: readonly { readonly to: NodeId; readonly term: Term }[];
  /**
   * The state machine must be replaced by the snapshot received with this meta, after its persist. Without a snapshot
   * in `persist` only in the first step after a start: the disk holds its meta, but the node died before the restore.
   * Until `applied` tells of it nothing committed is given out.
   */
  readonly restore: SnapshotMeta | null;
  readonly roleChange: RoleChange | null;
}
