import { describe, expect, it } from 'vitest';
import { findMistake } from './find-mistakes.ts';
import { MISTAKES } from './mistakes.ts';

/** Those that the first seeds show; `scripts/sim --mutants` takes them all. */
const QUICK = ['vote sent before it is durable', 'a read before a commit in the term'];
const MINUTES = 1;

describe('the simulator', () => {
  it.each(QUICK)('finds this mistake: %s', { timeout: 120_000 }, async (name) => {
    const mistake = MISTAKES.find((known) => known.name === name);
    if (mistake === undefined) throw new Error(`no mistake is called ${name}`);
    const { seed, invariant } = await findMistake(mistake, MINUTES);
    expect(seed).not.toBeNull();
    expect(invariant).not.toMatch(/no unexpected error/);
  });
});
