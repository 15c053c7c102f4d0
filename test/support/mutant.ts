import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTempFolder } from './temp-folder.ts';

const ROOT = join(import.meta.dirname, '../..');
const WHOLE_PROJECT = ['raft', 'src', 'node', 'test', 'scripts', 'package.json', 'tsconfig.json', 'vitest.config.ts'];

/** One known mistake, or a part of it, as a change of text. */
export interface Mutation {
  /** Path within the project. */
  readonly file: string;
  /** Stands in the file exactly once, so that a mutation cannot rot unseen. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant extends AsyncDisposable {
  /** A copy of the project's sources and tests with the mutations in them. */
  readonly folder: string;
}

/**
 * Puts mistakes back into a copy of the sources, so that a test can see that it would be found. What runs in
 * `folder`, as a child process or by dynamic import, runs wholly on mutated code; the product knows nothing of it.
 * Rejects when a text to find is missing or stands there more than once. `parts` are the files and folders to copy,
 * fewer than all where many mutants are made.
 */
export async function makeMutant(mutations: readonly Mutation[], parts = WHOLE_PROJECT): Promise<Mutant> {
  const { path, remove } = await makeTempFolder('mutant');
  try {
    for (const name of parts) await cp(join(ROOT, name), join(path, name), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(path, 'node_modules'));
    for (const mutation of mutations) await mutate(path, mutation);
  } catch (error) {
    await remove();
    throw error;
  }
  return { folder: path, [Symbol.asyncDispose]: remove };
}

async function mutate(folder: string, { file, find, replace }: Mutation): Promise<void> {
  const path = join(folder, file);
  const parts = (await readFile(path, 'utf8')).split(find);
  if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times, not once: ${find}`);
  await writeFile(path, parts.join(replace));
}
