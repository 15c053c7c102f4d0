import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { FILE_MODE, OPEN_FOLDER_MODE, OWN_FOLDER_MODE } from './layout.ts';
import type { AttemptLayout } from './layout.ts';
import type { Assignment } from './ports.ts';
import { isTaken } from './spare-folders.ts';
import type { SpareFolders } from './spare-folders.ts';
import { createWorkdir } from './workdir.ts';

/** `furnished`: what `furnishFolder` makes is there already. */
export type Claim = 'bare' | 'furnished' | 'forgotten' | 'unfinished';

/** Making the folder is what makes a start happen once, whoever asks how often. @throws a system error */
export function claimFolder(layout: AttemptLayout, spares: Pick<SpareFolders, 'take'>): Claim {
  try {
    if (spares.take(layout)) return 'furnished';
    mkdirSync(layout.root, OWN_FOLDER_MODE);
    return 'bare';
  } catch (error) {
    if (!isTaken(error)) throw error;
    return existsSync(layout.forgotten) ? 'forgotten' : 'unfinished';
  }
}

/** @throws a system error */
export function furnishFolder(layout: AttemptLayout): void {
  mkdirSync(layout.work, OPEN_FOLDER_MODE);
  mkdirSync(layout.outputs, OPEN_FOLDER_MODE);
  mkdirSync(layout.tmp, OWN_FOLDER_MODE);
}

/** @returns the folder to run in and the file to read. @throws Rejection `invalidRequest` or a system error */
export function prepareFolder(
  layout: AttemptLayout,
  { spec, inputs }: Pick<Assignment, 'spec' | 'inputs'>,
): { readonly cwd: string; readonly stdin: string } {
  // Takes the place of the empty one.
  if (inputs !== undefined) renameSync(inputs, layout.work);
  const cwd = spec.workdir === undefined ? layout.work : createWorkdir(layout.work, spec.workdir);
  if (spec.stdin === undefined) return { cwd, stdin: '/dev/null' };
  writeFileSync(layout.stdin, spec.stdin, { mode: FILE_MODE, flag: 'wx' });
  return { cwd, stdin: layout.stdin };
}
