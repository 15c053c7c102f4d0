import { describe, expect, it } from 'vitest';
import { compare } from './compare.ts';
import { jainIndex } from './fairness.ts';
import type { Outcome } from './run.ts';
import { SCENARIOS } from './scenarios.ts';
import { comparisonLines } from './table.ts';

const SMALL = { runners: 20, jobs: 2000, seed: 7 };

function scenario(name: string) {
  const found = SCENARIOS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no scenario ${name}`);
  return found;
}

function play(name: string, seed = 7) {
  const { workload, bounds, outcomes } = compare(scenario(name), { ...SMALL, seed });
  const [quorate, fifo, passing] = outcomes as [Outcome, Outcome, Outcome];
  return { workload, bounds, outcomes, quorate, fifo, passing };
}

describe('the scheduler, simulated', () => {
  it.each(SCENARIOS)('brings every job of "$name" to its end, and no policy is done before the bound', ({ name }) => {
    const { bounds, outcomes, workload } = play(name);
    for (const { makespanMs, waitMs, givenUp, utilisation } of outcomes) {
      expect(makespanMs).toBeGreaterThanOrEqual(bounds.makespanMs);
      expect(waitMs.filter((ms) => ms >= 0)).toHaveLength(workload.jobs);
      expect(givenUp).toBe(0);
      for (const part of utilisation) if (!Number.isNaN(part)) expect(part).toBeLessThanOrEqual(1 + 1e-9);
    }
  });

  it('does the same again with the same seed, and something else with another', () => {
    const once = play('mixed');
    const prints = (played: typeof once) => played.outcomes.map(({ fingerprint }) => fingerprint);
    const lines = ({ workload, bounds, outcomes }: typeof once) => comparisonLines({ workload, bounds, outcomes });
    const again = play('mixed');
    expect(prints(again)).toEqual(prints(once));
    expect(lines(again)).toEqual(lines(once));
    expect(prints(play('mixed', 8))).not.toEqual(prints(once));
  });

  it('meets what the scenarios are made of: losses, failures, children, refused guesses', () => {
    const { quorate, workload } = play('mixed');
    expect(quorate.failedAttempts).toBeGreaterThan(0);
    expect(workload.parentOf.some((parent) => parent >= 0)).toBe(true);
    expect(play('losses').quorate.lostAttempts).toBeGreaterThan(0);
    expect(play('stale-views').quorate.account.refused).toBeGreaterThan(0);
    expect(play('stale-views').quorate.account.atOnce).toBeGreaterThan(0);
  });
});

describe("Jain's index", () => {
  it('is 1 for equal shares and 1/n where one has all', () => {
    expect(jainIndex([0.25, 0.25, 0.25, 0.25])).toBe(1);
    expect(jainIndex([1, 0, 0, 0])).toBe(0.25);
  });
});
