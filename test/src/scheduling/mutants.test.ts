import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { makeMutant } from '../../support/mutant.ts';
import { MISTAKES } from './mistakes.ts';

/** The promises must be able to fail: each mistake is made in a copy of the sources, and one of them finds it. */

const PARTS = [
  'src',
  'test/sim/chance.ts',
  'test/sim/violation.ts',
  'test/sim/scheduling',
  'test/raft/support/seeded.ts',
  'test/src/builders.ts',
  'test/src/scheduling',
];

/** Runs all promises against each copy, in one process: starting one costs more. The seeds are fixed. */
const PROGRAM = `
  import { join } from 'node:path';
  const { check } = await import(process.argv[1]);
  for (const folder of JSON.parse(process.argv[2])) {
    const { PROMISES } = await import(join(folder, 'test/src/scheduling/promises.ts'));
    const broken = PROMISES.find(({ holds }) => check(holds, { seed: 1, numRuns: 12, endOnFailure: true }).failed);
    console.log(broken === undefined ? 'MISSED' : broken.name);
  }
`;

describe('a mistake breaks a promise', () => {
  let verdicts: readonly string[] = [];

  beforeAll(async () => {
    await using mutants = new AsyncDisposableStack();
    const folders: string[] = [];
    for (const mistake of MISTAKES) folders.push(mutants.use(await makeMutant([mistake], PARTS)).folder);
    const args = ['--input-type=module', '--eval', PROGRAM, import.meta.resolve('fast-check'), JSON.stringify(folders)];
    verdicts = (await promisify(execFile)(process.execPath, args, { timeout: 240_000 })).stdout.trim().split('\n');
  }, 300_000);

  test.each(MISTAKES.map((mistake, position) => ({ ...mistake, position })))('$what', ({ position }) => {
    expect(verdicts).toHaveLength(MISTAKES.length);
    expect(verdicts[position]).not.toBe('MISSED');
  });
});
