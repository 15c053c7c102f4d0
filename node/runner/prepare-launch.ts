import { Rejection } from '../../src/errors.ts';
import type { AttemptEnd } from '../../src/jobs/job.ts';
import { prepareFolder } from './attempt-folder.ts';
import { findCommand } from './find-command.ts';
import { DEFAULT_PATH, jobEnvironment } from './job-environment.ts';
import { commandNotFound, failed, machineFailed, notExecutable } from './launch-failure.ts';
import type { LaunchRequest } from './launcher.ts';
import type { AttemptLayout } from './layout.ts';
import type { Assignment } from './ports.ts';

export type Preparation =
  | { readonly kind: 'ready'; readonly request: LaunchRequest }
  /** Why it does not run. */
  | { readonly kind: 'refused'; readonly end: AttemptEnd };

/** Fills the folder of an attempt and finds its command. @param path null: jobs get the usual one */
export function prepareLaunch(
  assignment: Assignment,
  layout: AttemptLayout,
  { path }: { readonly path: string | null },
): Preparation {
  const { spec } = assignment;
  const command = spec.command[0] ?? '';
  let cwd: string;
  let stdin: string;
  try {
    ({ cwd, stdin } = prepareFolder(layout, assignment));
  } catch (error) {
    if (error instanceof Rejection) return refused(failed(null, error.message));
    return refused(machineFailed('this machine could not fill its folder', error));
  }
  const env = jobEnvironment(assignment, layout, { path: path ?? DEFAULT_PATH });
  const found = findCommand(command, { path: env['PATH'] ?? '', cwd });
  if (found.kind === 'notFound') return refused(commandNotFound(command));
  if (found.kind === 'notExecutable') return refused(notExecutable(command));
  const { stdout, stderr } = layout;
  const request = { executable: found.executable, argv: spec.command, env, cwd, stdin, stdout, stderr };
  return { kind: 'ready', request };
}

function refused(end: AttemptEnd): Preparation {
  return { kind: 'refused', end };
}
