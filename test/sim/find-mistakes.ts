import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { makeMutant } from '../support/mutant.ts';
import { MISTAKES, type Mistake } from './mistakes.ts';

export interface Search {
  /** Null: nothing was found in the given time. */
  readonly seed: number | null;
  readonly invariant: string;
  readonly seconds: number;
}

/** Searches seeds of a copy of the sources with this mistake in it until one shows it. */
export async function findMistake({ mutations }: Mistake, minutes: number): Promise<Search> {
  await using mutant = await makeMutant(mutations);
  const began = performance.now();
  const main = join(mutant.folder, 'test/sim/main.ts');
  const child = spawn(process.execPath, [main, '--minutes', String(minutes), '--from', '1', '--first'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  await new Promise((resolve) => child.once('close', resolve));
  const [, seed, invariant] = /^VIOLATION seed (\d+): (.*)$/m.exec(said) ?? [];
  const isOver = said.includes(' violations');
  if (seed === undefined && !isOver) throw new Error(`the search ended early: ${said.slice(-2000)}`);
  return {
    seed: seed === undefined ? null : Number(seed),
    invariant: invariant ?? '',
    seconds: (performance.now() - began) / 1000,
  };
}

/** Prints a row a mistake. @returns how many were not found */
export async function findMistakes(filter: string, minutes: number): Promise<number> {
  let missed = 0;
  for (const mistake of MISTAKES.filter(({ name }) => name.includes(filter))) {
    const { seed, invariant, seconds } = await findMistake(mistake, minutes);
    if (seed === null) missed += 1;
    const told = seed === null ? 'NOT FOUND' : `seed ${seed}: ${invariant}`;
    console.log(`${seconds.toFixed(1).padStart(6)} s  ${mistake.name}\n          ${told}`);
  }
  return missed;
}
