import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { makeMutant } from '../support/mutant.ts';
import { ELECTIONS_MISTAKES } from './mistakes/elections.ts';
import { MEMBERSHIP_MISTAKES } from './mistakes/membership.ts';
import type { Mistake } from './mistakes/mistake.ts';
import { READS_MISTAKES } from './mistakes/reads.ts';
import { REPLICATION_MISTAKES } from './mistakes/replication.ts';
import { SNAPSHOTS_MISTAKES } from './mistakes/snapshots.ts';
import { STORAGE_MISTAKES } from './mistakes/storage.ts';

/** Each rule's script must be able to fail: the mistake that the rule forbids is put back, and the script finds it. */

const MISTAKES: readonly Mistake[] = [
  ...ELECTIONS_MISTAKES,
  ...READS_MISTAKES,
  ...REPLICATION_MISTAKES,
  ...STORAGE_MISTAKES,
  ...SNAPSHOTS_MISTAKES,
  ...MEMBERSHIP_MISTAKES,
];

/** Runs one script of each folder, all in one process: starting one costs more than running them. */
const PROGRAM = `
  import { readFileSync } from 'node:fs';
  for (const [folder, script] of JSON.parse(process.argv[1])) {
    const { runScript } = await import(folder + '/test/raft/support/script/script.ts');
    const text = readFileSync(folder + '/test/raft/scripts/' + script + '.txt', 'utf8');
    console.log(runScript(text) === text ? 'missed' : 'found');
  }
`;

describe('a mistake is found', () => {
  let verdicts: readonly string[] = [];

  beforeAll(async () => {
    await using mutants = new AsyncDisposableStack();
    const runs: (readonly [string, string])[] = [];
    for (const mistake of MISTAKES) {
      const { script } = mistake;
      const mutant = await makeMutant([mistake], ['raft', 'test/raft/support', `test/raft/scripts/${script}.txt`]);
      runs.push([mutants.use(mutant).folder, script]);
    }
    const args = ['--input-type=module', '--eval', PROGRAM, JSON.stringify(runs)];
    verdicts = (await promisify(execFile)(process.execPath, args)).stdout.trim().split('\n');
  }, 120_000);

  test.each(MISTAKES.map((mistake, position) => ({ ...mistake, position })))('$what', ({ position, script }) => {
    expect(verdicts[position], `by ${script}`).toBe('found');
  });
});
