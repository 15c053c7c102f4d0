import type { ChangeEvent } from '../../src/state/apply.ts';

/** Whether the scheduler may find now what it did not before: another job is queued, or room came free. */
export function decidesAboutQueuedJobs(event: ChangeEvent): boolean {
  if (event.kind === 'runner' || event.kind === 'queue') return true;
  if (event.kind !== 'job') return false;
  const { job, before, claim } = event;
  if (job.state === 'queued' || claim === 'over') return true;
  if (job.state === 'assigned' || job.state === 'running') return false;
  // It held room, or room may have been kept for it.
  return before === 'assigned' || before === 'running' || before === 'queued';
}
