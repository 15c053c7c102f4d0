import { describe, expect, it } from 'vitest';
import { search } from './search.ts';
import { simulate } from './simulation.ts';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

describe('a simulated cluster', () => {
  it.each(SEEDS)('keeps its promises under the faults of seed %i', async (seed) => {
    const { violation } = await simulate({ seed });
    expect(violation).toBeNull();
  });

  it('does exactly the same again with the same seed, and something else with another', async () => {
    const first = await simulate({ seed: 13 });
    const again = await simulate({ seed: 13 });
    const other = await simulate({ seed: 14 });
    expect(again.events).toBe(first.events);
    expect(again.hash).toBe(first.hash);
    expect(other.hash).not.toBe(first.hash);
  });

  it('does the same whether somebody reads its trace or not', async () => {
    const lines: string[] = [];
    const read = await simulate({ seed: 13, print: (line) => lines.push(line) });
    const unread = await simulate({ seed: 13 });
    expect(read.hash).toBe(unread.hash);
    expect(lines.length).toBeGreaterThan(100);
  });

  it('serves clients and meets faults', async () => {
    const { data } = await search({ fixed: SEEDS, first: 0, step: 1, ms: 0, until: 'timeIsOver' });
    expect(data.acknowledged).toBeGreaterThan(500);
    expect(data.entries).toBeGreaterThan(500);
    expect(data.virtualMs).toBeGreaterThan(100_000);
    expect(data.faults.length).toBeGreaterThan(15);
  });
});
