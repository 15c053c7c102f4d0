import { describe, expect, it } from 'vitest';
import type { EndedAttempt } from '../../../src/jobs/job.ts';
import { planOf } from '../../../src/jobs/plan.ts';
import { allowsRetryOf, backoffMs, countRunnersLost } from '../../../src/jobs/retry.ts';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import { ending, I1, jobId, R1, START } from '../builders.ts';

const retryOf = (retry: JobSpec['retry']) => planOf({ command: ['x'], retry }).retry;

function past(...outcomes: readonly (EndedAttempt['outcome'] | number)[]): EndedAttempt[] {
  return outcomes.map((told, i) => ({
    ...ending({ exitCode: typeof told === 'number' ? told : null }),
    outcome: typeof told === 'number' ? 'failed' : told,
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
    const wholes = [
      { attempts: past(1), whole: 1000 },
      { attempts: past(1, 'lost', 1), whole: 3000 },
      { attempts: past(1, 1, 1), whole: 5000 },
    ];
    for (const { attempts, whole } of wholes) {
      for (let n = 0; n < 100; n += 1) {
        expect(backoffMs(retry, attempts, jobId(n))).toBeGreaterThanOrEqual(whole / 2);
        expect(backoffMs(retry, attempts, jobId(n))).toBeLessThanOrEqual(whole);
      }
    }
    expect(backoffMs(retry, past(1, 'lost'), jobId(1))).toBe(0);
    const steep = retryOf({ max: 100, backoff: { factor: 100 } });
    expect(backoffMs(steep, past(...Array.from({ length: 100 }, () => 1)), jobId(1))).toBeLessThanOrEqual(60_000);
  });

  it('spreads jobs that failed together, and one of them differently at each attempt', () => {
    const retry = retryOf({ max: 9, backoff: { initial: '16s', factor: 1, max: '16s' } });
    const seconds = (attempts: EndedAttempt[]) =>
      Array.from({ length: 800 }, (_, n) => Math.floor(backoffMs(retry, attempts, jobId(n)) / 1000));
    for (const attempts of [past(1), past(1, 1)]) {
      const counts = Map.groupBy(seconds(attempts), (second) => second);
      for (let second = 8; second < 16; second += 1) {
        expect(counts.get(second)?.length ?? 0).toBeGreaterThan(50);
        expect(counts.get(second)?.length ?? 0).toBeLessThan(150);
      }
    }
    const same = seconds(past(1)).filter((second, n) => second === seconds(past(1, 1))[n]);
    expect(same.length).toBeLessThan(200);
  });
});

describe('runners lost with a job', () => {
  it('are those that did not come back; attempts lost alone do not count', () => {
    const lostWith = (...outcomes: readonly (EndedAttempt['outcome'] | number)[]) =>
      past(...outcomes).map((attempt) =>
        attempt.outcome === 'lost' ? { ...attempt, lostWith: 'runner' as const } : attempt,
      );
    expect(countRunnersLost(lostWith('lost', 1, 'lost'), () => false)).toBe(2);
    expect(countRunnersLost(lostWith('lost', 1, 'lost'), ({ attempt }) => attempt === 1)).toBe(1);
    expect(countRunnersLost(past('lost', 'lost'), () => false)).toBe(0);
  });
});
