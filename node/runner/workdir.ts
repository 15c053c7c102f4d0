import { lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Rejection } from '../../src/errors.ts';

/**
 * Makes `relative` inside of `base`, folder by folder, so that no link on the way leads out.
 * @throws Rejection `invalidRequest`
 */
export function createWorkdir(base: string, relative: string): string {
  let folder = base;
  for (const part of relative.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') throw leaves(relative);
    folder = join(folder, part);
    try {
      mkdirSync(folder, 0o755);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (!lstatSync(folder).isDirectory()) throw leaves(relative);
    }
  }
  if (relative.startsWith('/')) throw leaves(relative);
  return folder;
}

function leaves(relative: string): Rejection {
  return new Rejection('invalidRequest', `workdir ${relative} leaves the job's work folder`, { field: 'workdir' });
}
