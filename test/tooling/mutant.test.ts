import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { makeMutant } from '../support/mutant.ts';

const ORIGINAL = join(import.meta.dirname, '../../raft/quorum.ts');
const HALF_IS_ENOUGH = {
  file: 'raft/quorum.ts',
  find: 'values[Math.floor(values.length / 2)]',
  replace: 'values[Math.floor((values.length - 1) / 2)]',
};

describe('a mutant', () => {
  it('runs the mistake, while the original stays as it is', async () => {
    const before = await readFile(ORIGINAL, 'utf8');
    await using mutant = await makeMutant([HALF_IS_ENOUGH]);

    expect(await readFile(ORIGINAL, 'utf8')).toBe(before);
    expect(await reachedByTwoOfFour(mutant.folder)).toBe('9');
    expect(await reachedByTwoOfFour(join(import.meta.dirname, '../..'))).toBe('1');
  });

  it('takes several changes, also in one file', async () => {
    await using mutant = await makeMutant([
      { file: 'raft/quorum.ts', find: 'right - left', replace: 'left - right' },
      HALF_IS_ENOUGH,
    ]);

    expect(await reachedByTwoOfFour(mutant.folder)).toBe('1');
  });

  it('leaves nothing behind', async () => {
    let folder = '';
    {
      await using mutant = await makeMutant([HALF_IS_ENOUGH]);
      ({ folder } = mutant);
      expect(existsSync(folder)).toBe(true);
    }
    expect(existsSync(folder)).toBe(false);
  });

  it.each([
    ['is gone', 'no such text', 'holds 0 times, not once'],
    ['stands there twice', 'configuration.outgoing', 'times, not once'],
  ])('is refused when what it changes %s', async (_case, find, message) => {
    await expect(makeMutant([{ file: 'raft/quorum.ts', find, replace: '' }])).rejects.toThrow(message);
  });
});

async function reachedByTwoOfFour(folder: string): Promise<string> {
  const program = `
    import { reachedByQuorum } from './raft/quorum.ts';
    const configuration = { voters: ['a', 'b', 'c', 'd'], outgoing: [], learners: [], learnersNext: [] };
    console.log(reachedByQuorum(configuration, (voter) => (voter < 'c' ? 9 : 1)));
  `;
  const run = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { cwd: folder });
  return run.stdout.trim();
}
