import fc from 'fast-check';
import { describe, it } from 'vitest';
import { PROMISES } from './promises.ts';

/** A failure tells its seed and path: `fc.assert(holds, { seed, path })` plays it again. */
describe('the scheduler promises that', () => {
  it.each(PROMISES)('$name', { timeout: 120_000 }, ({ holds }) => {
    fc.assert(holds, { numRuns: 25 });
  });
});
