import type { Configuration, Entry, HardState, Index, NodeId, SnapshotMeta } from './types.ts';

/** Ticks are the core's only time; the driver decides how long one is (10 ms on a LAN). */
export interface RaftOptions {
  /** Lower bound of the random election timeout, in ticks; the upper bound is twice this (paper §5.2, §9.3). */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Bytes of entries that may be appended and not yet committed before proposals are refused. */
  readonly maxUncommittedBytes: number;
  /** Entry bytes in one appendEntries. */
  readonly maxAppendBytes: number;
  /** appendEntries on their way to one follower, by count and by bytes. */
  readonly maxInflightAppends: number;
  readonly maxInflightBytes: number;
  /** Entry bytes handed out in one `Effects.committed`. */
  readonly maxApplyBytes: number;
  /** `lease`: reads are served without a round of heartbeats while a quorum answered within the lease. */
  readonly reads: 'readIndex' | 'lease';
}

/** What the disk held at the start. */
export interface StoredState {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta | null;
  /** Everything behind the snapshot, in order and without gaps. */
  readonly entries: readonly Entry[];
  /** What the state machine holds already. */
  readonly applied: Index;
  /** The membership a node starts with when there is neither a snapshot nor a configuration entry. */
  readonly initial: Configuration;
}

export interface RaftDependencies {
  readonly id: NodeId;
  /** Names this start of this node; different at every start. */
  readonly session: string;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}
