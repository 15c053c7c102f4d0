/** Limits of the replica that no client meets by name, except as `overloaded`. */
export const REPLICA_LIMITS = {
  /** Encoded proposals of one log entry. */
  entryBytes: 256 * 1024,
  entryProposals: 4096,
  /** One encoded proposal: an entry that is larger than a frame between members could never be replicated. */
  proposalBytes: 16 * 1024 * 1024,
  /** Proposals of this node that wait for their result. */
  pendingProposals: 20_000,
  pendingProposalBytes: 64 * 1024 * 1024,
  /** Reads that wait for a confirmed index. */
  pendingReads: 20_000,
  /** Entries applied in the heap and not yet written to the state's database. */
  unwrittenEntries: 4096,
  unwrittenBytes: 16 * 1024 * 1024,
  /** The log is compacted when this much stands behind the last compaction … */
  compactEntries: 20_000,
  compactBytes: 64 * 1024 * 1024,
  /** … and this many entries are kept for slow followers. */
  keptEntries: 5_000,
  /** For a follower that is there and lacks more, the log is let grow up to this. */
  heldEntries: 100_000,
  heldBytes: 256 * 1024 * 1024,
} as const;

export const REPLICA_TIMES = {
  /** A proposal without a result is sent again: its leader may be gone. */
  reproposeMs: 1_000,
  /** The pause doubles with each time up to this. */
  reproposeMaxMs: 8_000,
  /** A caller is told `timedOut` after this. */
  proposalDeadlineMs: 30_000,
  /** One that found no leader to go to in this time is given up, and was surely not taken. */
  leaderlessMs: 10_000,
  /** So may a change of the membership, earlier: whoever forwarded it waits as long as for a proposal. */
  changeDeadlineMs: 10_000,
  readDeadlineMs: 10_000,
  forwardTimeoutMs: 5_000,
  /** Between tries while no leader is known, or when it refused. */
  retryPauseMs: 20,
  snapshotTimeoutMs: 30 * 60 * 1000,
} as const;

export type ReplicaLimits = Readonly<Record<keyof typeof REPLICA_LIMITS, number>>;
export type ReplicaTimes = Readonly<Record<keyof typeof REPLICA_TIMES, number>>;
