import type { AttemptLayout } from './layout.ts';
import type { Assignment } from './ports.ts';

/** What a job finds when neither its spec nor this machine says otherwise. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Made from nothing: no variable of the node or of its runner process comes through but the given PATH. */
export function jobEnvironment(
  assignment: Assignment,
  layout: AttemptLayout,
  { path }: { readonly path: string },
): Record<string, string> {
  return {
    PATH: path,
    HOME: layout.work,
    TMPDIR: layout.tmp,
    LANG: 'C.UTF-8',
    ...assignment.spec.env,
    ...assignment.env,
    QUORATE_JOB_ID: assignment.job,
    QUORATE_ATTEMPT: String(assignment.attempt),
    QUORATE_OUTPUTS: layout.outputs,
  };
}
