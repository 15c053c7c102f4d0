import type { Timestamp } from '../jobs/job.ts';

/** Jobs whose attempts were lost together are queued again at once up to so many, … */
export const LOST_AT_ONCE = 500;
/** … the others by and by: those that run on the machines that are left are not crowded out by starts. */
export const LOST_PER_SECOND = 500;

const INTERVAL_MS = 1000 / LOST_PER_SECOND;

/**
 * The place of one more lost attempt (the generic cell rate algorithm).
 * @param used up to when the pace is used up so far
 * @returns how long the job is to wait, and up to when the pace is used up with it
 */
export function nextAtPace(used: Timestamp | undefined, at: Timestamp): { waitMs: number; used: Timestamp } {
  const next = Math.max(used ?? 0, at - LOST_AT_ONCE * INTERVAL_MS) + INTERVAL_MS;
  return { waitMs: Math.max(0, next - at), used: next };
}
