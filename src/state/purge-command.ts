import type { ChangeSet } from './change-set.ts';
import type { Command, CommandResult } from './commands.ts';

/** Jobs that one entry purges, so that none takes long. */
export const JOBS_PER_PURGE = 1000;

/** What came back to life since its record was read stays, also when it is final again. */
export function purge(changes: ChangeSet, { jobs }: Extract<Command, { kind: 'purge' }>): CommandResult {
  const { jobs: live, revived } = changes.state;
  for (const { job, index } of jobs) {
    if (live.has(job) || (revived.get(job)?.index ?? 0) > index) continue;
    changes.purgeJob(job);
  }
  return { ok: true };
}
