import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import type { JobSpec } from '../../src/jobs/spec.ts';
import type { AttemptLayout } from './layout.ts';
import { createWorkdir } from './workdir.ts';

export type Claim = 'new' | 'forgotten' | 'unfinished';

/** Making the folder is what makes a start happen once, whoever asks how often. @throws a system error */
export function claimFolder(layout: AttemptLayout): Claim {
  try {
    mkdirSync(layout.root, 0o700);
    return 'new';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return existsSync(layout.forgotten) ? 'forgotten' : 'unfinished';
  }
}

/** @returns the folder to run in and the file to read. @throws Rejection `invalidRequest` or a system error */
export function furnishFolder(layout: AttemptLayout, spec: JobSpec): { readonly cwd: string; readonly stdin: string } {
  mkdirSync(layout.work, 0o755);
  mkdirSync(layout.outputs, 0o755);
  mkdirSync(layout.tmp, 0o700);
  const cwd = spec.workdir === undefined ? layout.work : createWorkdir(layout.work, spec.workdir);
  if (spec.stdin === undefined) return { cwd, stdin: '/dev/null' };
  writeFileSync(layout.stdin, spec.stdin, { mode: 0o600, flag: 'wx' });
  return { cwd, stdin: layout.stdin };
}
