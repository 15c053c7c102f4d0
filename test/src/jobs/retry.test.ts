import { describe, expect, it } from 'vitest';
import type { EndedAttempt } from '../../../src/jobs/job.ts';
import { planOf } from '../../../src/jobs/plan.ts';
import { allowsRetryOf, backoffMs } from '../../../src/jobs/retry.ts';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import { ending, I1, R1, START } from '../builders.ts';

const retryOf = (retry: JobSpec['retry']) => planOf({ command: ['x'], retry }).retry;

function past(...outcomes: readonly (EndedAttempt['outcome'] | number)[]): EndedAttempt[] {
  return outcomes.map((told, i) => ({
    ...ending(typeof told === 'number' ? { outcome: 'failed', exitCode: told } : { outcome: told, exitCode: null }),
    state: 'ended',
    attempt: i + 1,
    runner: R1,
    incarnation: I1,
    assignedAt: START,
    startedAt: START,
    endedAt: START,
  }));
}

describe('a retry', () => {
  it('follows up to max failed or timed-out attempts, lost ones not counted', () => {
    const retry = retryOf({ max: 2 });
    expect(allowsRetryOf(retry, past(1))).toBe(true);
    expect(allowsRetryOf(retry, past('timedOut', 'lost', 1))).toBe(true);
    expect(allowsRetryOf(retry, past(1, 'timedOut', 1))).toBe(false);
  });

  it('follows up to lostMax lost attempts, failed ones not counted', () => {
    const retry = retryOf({ max: 9, lostMax: 1 });
    expect(allowsRetryOf(retry, past(1, 1, 'lost'))).toBe(true);
    expect(allowsRetryOf(retry, past('lost', 1, 'lost'))).toBe(false);
  });

  it('follows only the outcomes and exit codes that the spec names', () => {
    expect(allowsRetryOf(retryOf({ max: 1, on: ['timedOut'] }), past(1))).toBe(false);
    expect(allowsRetryOf(retryOf({ max: 1, on: ['timedOut'] }), past('timedOut'))).toBe(true);
    const coded = retryOf({ max: 1, exitCodes: [75] });
    expect(allowsRetryOf(coded, past(75))).toBe(true);
    expect(allowsRetryOf(coded, past(1))).toBe(false);
    expect(allowsRetryOf(coded, past('failed'))).toBe(false);
    expect(allowsRetryOf(coded, past('timedOut'))).toBe(true);
  });

  it('never follows a success, a cancel, or nothing', () => {
    for (const attempts of [past('succeeded'), past('cancelled'), []]) {
      expect(allowsRetryOf(retryOf({ max: 9 }), attempts)).toBe(false);
    }
    expect(allowsRetryOf(retryOf('never'), past('lost'))).toBe(false);
    expect(allowsRetryOf(retryOf(undefined), past(1))).toBe(false);
  });

  it('waits longer after each failure, up to a limit, and not at all after a loss', () => {
    const retry = retryOf({ max: 9, backoff: { initial: '1s', factor: 3, max: '5s' } });
    expect(backoffMs(retry, past(1))).toBe(1000);
    expect(backoffMs(retry, past(1, 'lost', 1))).toBe(3000);
    expect(backoffMs(retry, past(1, 1, 1))).toBe(5000);
    expect(backoffMs(retry, past(1, 'lost'))).toBe(0);
    expect(
      backoffMs(retryOf({ max: 100, backoff: { factor: 100 } }), past(...Array.from({ length: 100 }, () => 1))),
    ).toBe(60_000);
  });
});
