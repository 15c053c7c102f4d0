import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';

export type FoundCommand =
  | { readonly kind: 'found'; readonly executable: string }
  | { readonly kind: 'notFound' }
  | { readonly kind: 'notExecutable' };

/** Looks a command up as a shell would in the job's own PATH and folder. */
export function findCommand(command: string, where: { readonly path: string; readonly cwd: string }): FoundCommand {
  if (command === '') return { kind: 'notFound' };
  if (command.includes('/')) return examine(resolve(where.cwd, command));
  let found: FoundCommand = { kind: 'notFound' };
  for (const folder of where.path.split(':')) {
    const candidate = examine(isAbsolute(folder) ? `${folder}/${command}` : resolve(where.cwd, folder, command));
    if (candidate.kind === 'found') return candidate;
    if (candidate.kind === 'notExecutable') found = candidate;
  }
  return found;
}

function examine(executable: string): FoundCommand {
  try {
    const stats = statSync(executable, { throwIfNoEntry: false });
    if (stats === undefined) return { kind: 'notFound' };
    if (!stats.isFile()) return { kind: 'notExecutable' };
    accessSync(executable, constants.X_OK);
    return { kind: 'found', executable };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? { kind: 'notExecutable' } : { kind: 'notFound' };
  }
}
