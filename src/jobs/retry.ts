import { unreachable } from '../errors.ts';
import type { JobId } from '../ids.ts';
import { lotOf, mixLot } from '../scheduling/lot.ts';
import type { EndedAttempt } from './job.ts';
import type { RetryPlan } from './plan.ts';

/** The part of a backoff that chance may take away. */
const JITTER = 0.5;

/** Whether the newest of the ended attempts, which did not succeed, is to be followed by another. */
export function allowsRetryOf(retry: RetryPlan, past: readonly EndedAttempt[]): boolean {
  const last = past.at(-1);
  if (last === undefined) return false;
  switch (last.outcome) {
    case 'lost':
      return count(past, isLost) <= retry.lostMax;
    case 'failed':
    case 'timedOut':
      return retry.on.includes(last.outcome) && allowsExitCode(retry, last) && count(past, isFailed) <= retry.max;
    case 'preempted':
      return true;
    case 'succeeded':
    case 'cancelled':
      return false;
    default:
      return unreachable(last.outcome);
  }
}

/**
 * How long to wait before the next attempt: grows with each one that failed, and does not for lost ones. Jobs that
 * failed together do not come back together: from half of that time to all of it, drawn from the job and its attempt, so
 * that every replica finds the same.
 */
export function backoffMs(retry: RetryPlan, past: readonly EndedAttempt[], job: JobId): number {
  const last = past.at(-1);
  if (last === undefined || isLost(last)) return 0;
  const { initialMs, factor, maxMs } = retry.backoff;
  const whole = Math.min(initialMs * factor ** (count(past, isFailed) - 1), maxMs);
  const draw = mixLot(lotOf(job), last.attempt) / 2 ** 32;
  return Math.round(whole * (1 - JITTER * draw));
}

/** How often the job was stopped to make room for others. */
export function countPreemptions(past: readonly EndedAttempt[]): number {
  return count(past, ({ outcome }) => outcome === 'preempted');
}

/** Attempts that were lost with their runner, which was not heard of since: so many runners may the job have ended. */
export function countRunnersLost(
  past: readonly EndedAttempt[],
  hasReturned: (attempt: EndedAttempt) => boolean,
): number {
  return count(past, (attempt) => attempt.lostWith === 'runner' && !hasReturned(attempt));
}

function allowsExitCode(retry: RetryPlan, { outcome, exitCode }: EndedAttempt): boolean {
  if (retry.exitCodes === null || outcome === 'timedOut') return true;
  return exitCode !== null && retry.exitCodes.includes(exitCode);
}

function isLost({ outcome }: EndedAttempt): boolean {
  return outcome === 'lost';
}

function isFailed({ outcome }: EndedAttempt): boolean {
  return outcome === 'failed' || outcome === 'timedOut';
}

function count(past: readonly EndedAttempt[], counts: (attempt: EndedAttempt) => boolean): number {
  let sum = 0;
  for (const attempt of past) if (counts(attempt)) sum += 1;
  return sum;
}
