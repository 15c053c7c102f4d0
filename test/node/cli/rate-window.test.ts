import { describe, expect, it } from 'vitest';
import { RateWindow } from '../../../node/cli/rate-window.ts';

function ratesOf(samples: readonly (readonly [atMs: number, count: number])[]): readonly (number | null)[] {
  const window = new RateWindow(5_000);
  return samples.map(([atMs, count]) => window.add(count, atMs));
}

describe('a rate', () => {
  it('takes two moments', () => {
    expect(
      ratesOf([
        [0, 10],
        [0, 10],
        [500, 20],
      ]),
    ).toEqual([null, null, 20]);
  });

  it('is of the last seconds alone', () => {
    const samples = Array.from({ length: 20 }, (_, i) => [i * 1000, i < 10 ? i * 100 : 900] as const);
    const rates = ratesOf(samples);
    expect(rates[9]).toBe(100);
    expect(rates[12]).toBe(40);
    expect(rates[19]).toBe(0);
  });

  it('covers the whole window, however rarely it is told', () => {
    expect(
      ratesOf([
        [0, 0],
        [4_000, 400],
        [20_000, 400],
      ]),
    ).toEqual([null, 100, 0]);
  });

  it('begins anew where the count went back: another cluster answers', () => {
    expect(
      ratesOf([
        [0, 100],
        [1_000, 200],
        [2_000, 5],
        [3_000, 8],
      ]),
    ).toEqual([null, 100, null, 3]);
  });
});
