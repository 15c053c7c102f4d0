export const LEADER_LIMITS = {
  /** Placements in one proposal. */
  placementsPerRound: 512,
} as const;

export const LEADER_TIMES = {
  /** How often leases and the membership are looked at. */
  reviewMs: 500,
  /** Pause after a proposal of the leader's duties that the log did not take. */
  retryPauseMs: 100,
} as const;
