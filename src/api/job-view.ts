import { unreachable } from '../errors.ts';
import type { EndedAttempt, Job, LiveAttempt, Timestamp, Wait } from '../jobs/job.ts';
import type { AttemptView, JobView, WaitView } from './views.ts';

export function toJobView(job: Job): JobView {
  const attempts = job.past.map(endedView);
  if (job.state === 'assigned' || job.state === 'running') attempts.push(liveView(job.current));
  const last = attempts.at(-1);
  return {
    id: job.id,
    state: job.state,
    spec: job.spec,
    project: job.plan.project,
    queue: job.plan.queue,
    submittedBy: job.submittedBy,
    submittedAt: toTime(job.submittedAt),
    finalAt: 'finalAt' in job ? toTime(job.finalAt) : null,
    exitCode: last?.exitCode ?? null,
    signal: last?.signal ?? null,
    reason: 'finalAt' in job ? job.reason : null,
    attempts,
    parent: job.plan.parent,
    group: job.plan.group,
    schedule: scheduleView(job),
    waitsFor: job.state === 'waiting' ? waitView(job) : null,
    index: job.index,
  };
}

function scheduleView({ schedule }: Job): JobView['schedule'] {
  if (schedule === undefined) return null;
  return { name: schedule.name, due: schedule.due === null ? null : toTime(schedule.due) };
}

/** What a job waits for, as the API tells it. */
export function waitView(wait: Wait): WaitView {
  switch (wait.why) {
    case 'dependencies':
      return { why: wait.why, missing: wait.missing };
    case 'notBefore':
    case 'backoff':
      return { why: wait.why, until: toTime(wait.until) };
    case 'resourceGroup':
    case 'group':
      return { why: wait.why };
    default:
      return unreachable(wait);
  }
}

function liveView(attempt: LiveAttempt): AttemptView {
  return {
    attempt: attempt.attempt,
    runner: attempt.runner,
    state: attempt.state,
    assignedAt: toTime(attempt.assignedAt),
    startedAt: attempt.state === 'running' ? toTime(attempt.startedAt) : null,
    endedAt: null,
    exitCode: null,
    signal: null,
    reason: null,
    usage: null,
    outputs: null,
  };
}

function endedView(attempt: EndedAttempt): AttemptView {
  return {
    attempt: attempt.attempt,
    runner: attempt.runner,
    state: attempt.outcome,
    assignedAt: toTime(attempt.assignedAt),
    startedAt: attempt.startedAt === null ? null : toTime(attempt.startedAt),
    endedAt: toTime(attempt.endedAt),
    exitCode: attempt.exitCode,
    signal: attempt.signal,
    reason: attempt.reason,
    usage: attempt.usage,
    outputs: attempt.outputs ?? null,
  };
}

/** RFC 3339 in UTC. */
export function toTime(at: Timestamp): string {
  return new Date(at).toISOString();
}
