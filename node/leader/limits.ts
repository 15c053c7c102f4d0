import { JOBS_PER_PURGE } from '../../src/state/purge-command.ts';

export const LEADER_LIMITS = {
  /** Final jobs in one proposal to purge them. */
  purgesPerRound: JOBS_PER_PURGE,
  /** Placements in one proposal. */
  placementsPerRound: 512,
  /** Firings of schedules in one proposal. */
  firingsPerRound: 512,
  /** Missed times of schedules that are counted in one round; beyond them it is told that there were more. */
  missedPerRound: 10_000,
  /** Of the membership, one after another; what is left comes at the next review. */
  changesPerReview: 32,
} as const;

export const LEADER_TIMES = {
  /** How often leases and the membership are looked at. */
  reviewMs: 500,
  /** Pause after a proposal of the leader's duties that the log did not take. */
  retryPauseMs: 100,
  /** How often room for jobs of schedules is asked for while there is none. */
  roomPauseMs: 1000,
  /** Work of cron lines that is done without letting the event loop turn. */
  cronSliceMs: 5,
  /** How often the clock is looked at while a schedule waits for its time: it may jump, and timers do not. */
  lookAtClockMs: 30_000,
  /** Between two proposals to purge. */
  purgePauseMs: 200,
  /** How often final jobs are counted anew. */
  recountMs: 60 * 60 * 1000,
} as const;
