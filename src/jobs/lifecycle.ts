import { unreachable } from '../errors.ts';
import type { Incarnation, JobId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { type Placement, refuse, type Refusal } from '../state/commands.ts';
import {
  type AttemptEnd,
  type EndedAttempt,
  type FinalJob,
  type FinalState,
  type Job,
  type LiveAttempt,
  type LiveJob,
  type Moment,
  NO_PAST,
  type QueuedJob,
  type Timestamp,
  type WaitingJob,
} from './job.ts';
import type { Dependency, JobPlan } from './plan.ts';
import { allowsRetryOf, backoffMs } from './retry.ts';
import type { OfSchedule } from '../schedules/schedule.ts';
import type { JobSpec } from './spec.ts';

/**
 * The one state machine of a job: pure functions from a job and what happened to the job as it is then, or to the
 * refusal. What happened already gives back the same job.
 */

export interface Submission {
  readonly id: JobId;
  readonly spec: JobSpec;
  readonly plan: JobPlan;
  readonly submittedBy: string;
  readonly sequence: number;
  /** How many jobs stand above it. */
  readonly depth: number;
  /** Jobs of its `dependsOn` that are not final. */
  readonly missing: readonly JobId[];
  readonly schedule?: OfSchedule;
}

export function submitJob(submission: Submission, now: Moment): QueuedJob | WaitingJob {
  const { missing, ...rest } = submission;
  const base = { ...rest, submittedAt: now.at, past: NO_PAST, revivals: 0, index: now.index };
  if (missing.length > 0) return { ...base, state: 'waiting', why: 'dependencies', missing };
  return atItsTime(base, now);
}

/**
 * One of the jobs that it depends on is final. That one less is missing is a change of the job, by its index, only for
 * counts that are powers of two: one that waits for many would be written as often, each time as a whole.
 */
export function meetDependency(job: WaitingJob, on: JobId, outcome: FinalState, now: Moment): Job {
  if (job.why !== 'dependencies') return job;
  if (!dependsOnEnd(job, on, outcome)) return finish(job, 'cancelled', unmet(on, outcome), now);
  const missing = job.missing.filter((id) => id !== on);
  if (missing.length === 0) return atItsTime(baseOf(job, now), now);
  return isNotedCount(missing.length) ? { ...job, missing, index: now.index } : { ...job, missing };
}

export function isNotedCount(missing: number): boolean {
  return (missing & (missing - 1)) === 0;
}

/** Whether this end of the other is one that the job waits for. */
export function dependsOnEnd({ plan }: WaitingJob, on: JobId, outcome: FinalState): boolean {
  const dependency = plan.dependsOn.find((candidate) => candidate.job === on);
  return dependency !== undefined && isMet(dependency, outcome);
}

export function isMet({ on }: Dependency, outcome: FinalState): boolean {
  switch (on) {
    case 'succeeded':
      return outcome === 'succeeded';
    case 'failed':
      return outcome !== 'succeeded';
    case 'finished':
      return true;
    default:
      return unreachable(on);
  }
}

export function unmet(on: JobId, outcome: FinalState): string {
  return `the job ${on}, which it depends on, ended as ${outcome}`;
}

/** It may be queued but for the others of its resource group and group. */
export function holdBack(job: QueuedJob, why: 'resourceGroup' | 'group', now: Moment): WaitingJob {
  return { ...baseOf(job, now), state: 'waiting', why };
}

/** The number of the attempt that comes next, or of the one under way. */
export function attemptOf(job: Job): number {
  return job.past.length + 1;
}

/** @param behind the job whose room it is to take over; null: it gets room of its own at once */
export function assignJob(
  job: Job,
  attempt: number,
  { placement, behind }: { readonly placement: Placement; readonly behind: JobId | null },
  now: Moment,
): LiveJob | Refusal {
  if (job.state === 'assigned' || job.state === 'running') {
    const { current } = job;
    const isSame = current.attempt === attempt && isAt(current, placement);
    return isSame ? job : refuse('wrongState', `the job is ${job.state} already`);
  }
  if (job.state !== 'queued') return refuse('wrongState', `the job is ${job.state}, not queued`);
  if (attempt !== attemptOf(job)) return refuse('staleAttempt', `attempt ${attemptOf(job)} is next, not ${attempt}`);
  const { runner, incarnation } = placement;
  const place = { attempt, runner, incarnation, assignedAt: now.at, state: 'assigned' } as const;
  const current: LiveAttempt = behind === null ? place : { ...place, behind: { job: behind, queuedAt: job.queuedAt } };
  return { ...baseOf(job, now), state: 'assigned', current, cancel: null };
}

/** The attempt whose room it was to take over is gone: the room is its own now, or that of whom the other one was behind. */
export function succeedJob(job: LiveJob, before: LiveAttempt, now: Moment): LiveJob {
  const { behind, ...current } = job.current;
  if (behind === undefined || before.behind === undefined) return { ...job, index: now.index, current };
  const { queuedAt } = behind;
  return { ...job, index: now.index, current: { ...current, behind: { job: before.behind.job, queuedAt } } };
}

/** Its runner gives it back, not started: it stands where it stood in the queue. @param index of the job as it was seen */
export function handBackJob(job: Job, index: number, now: Moment): Job | Refusal {
  if (job.index !== index) return refuse('conflict', 'the job has changed since');
  if (job.state !== 'assigned' || job.current.behind === undefined)
    return refuse('wrongState', `the job is ${job.state}, and not behind another`);
  if (job.cancel !== null) return finish(job, 'cancelled', `cancelled by ${job.cancel.by}`, now);
  return { ...baseOf(job, now), state: 'queued', queuedAt: job.current.behind.queuedAt };
}

export interface AttemptReport {
  readonly attempt: number;
  readonly incarnation: Incarnation;
}

/** @param startedAt as the runner's clock told it */
export function startJob(job: Job, report: AttemptReport, startedAt: Timestamp, now: Moment): LiveJob | Refusal {
  if (!isCurrent(job, report)) return staleAttempt(job, report);
  if (job.current.state === 'running') return job;
  const current: LiveAttempt = { ...job.current, state: 'running', startedAt };
  const { cancel, preempt } = job;
  return { ...baseOf(job, now), state: 'running', current, cancel, ...(preempt === undefined ? {} : { preempt }) };
}

/** Its runner is to stop it, so that another job has room; then it is queued again. */
export function preemptJob(job: LiveJob, by: Pick<QueuedJob, 'id' | 'plan'>, now: Moment): LiveJob {
  return { ...job, index: now.index, preempt: { at: now.at, by: by.id, priority: by.plan.priority } };
}

/** Room is being made for it at this runner. */
export function claimRoom(job: QueuedJob, { runner, incarnation }: Placement, now: Moment): QueuedJob {
  return { ...job, index: now.index, claim: { at: now.at, runner, incarnation } };
}

/** It waits as any other. */
export function giveUpClaim(job: QueuedJob, now: Moment): QueuedJob {
  return { ...baseOf(job, now), state: 'queued', queuedAt: job.queuedAt };
}

export interface EndReport extends AttemptReport {
  readonly startedAt: Timestamp | null;
  readonly endedAt: Timestamp;
  readonly end: AttemptEnd;
}

/**
 * With a cancel requested the job is cancelled, whatever the exit was. One that was being stopped for another and has
 * ended by itself before has ended by itself.
 */
export function endJob(job: Job, report: EndReport, now: Moment): Job | Refusal {
  if (isCurrent(job, report)) {
    const { end, endedAt } = report;
    const startedAt = report.startedAt ?? startedAtOf(job.current);
    const ended: EndedAttempt = { ...placeOf(job.current), ...end, state: 'ended', startedAt, endedAt };
    const { preempt } = job;
    if (preempt === undefined || end.outcome !== 'cancelled') return settle(job, ended, now);
    const reason = `it made room for the job ${preempt.by} of priority ${preempt.priority}`;
    return settle(job, { ...ended, outcome: 'preempted', reason }, now);
  }
  const past = job.past[report.attempt - 1];
  const isRepeated = past?.incarnation === report.incarnation && past.endedAt === report.endedAt;
  return isRepeated ? job : staleAttempt(job, report);
}

/** It was to be queued, and its group is cancelled. */
export function condemnJob(job: QueuedJob, by: string, now: Moment): FinalJob {
  return finish(job, 'cancelled', `cancelled by ${by}`, now);
}

export function cancelJob(job: Job, mode: 'any' | 'queued', by: string, now: Moment): Job | Refusal {
  switch (job.state) {
    case 'waiting':
    case 'queued':
      return finish(job, 'cancelled', `cancelled by ${by}`, now);
    case 'assigned':
    case 'running':
      if (mode === 'queued')
        return refuse('wrongState', `the job is ${job.state}: only one that waits was to be cancelled`);
      return job.cancel === null ? { ...job, index: now.index, cancel: { at: now.at, by } } : job;
    default:
      return refuse('alreadyFinal', `the job is ${job.state} already`);
  }
}

export interface Loss {
  readonly reason: string;
  /**
   * Runners that were lost with earlier attempts of the job and did not come back; null where this one's runner was
   * taken away in order, which nothing that ran there can have done.
   */
  readonly runnersLost: number | null;
  /** How long the job waits before it is queued again. */
  readonly waitMs: number;
}

/** The runner is gone, and nobody will tell how the attempt ended. */
export function loseJob(job: LiveJob, { reason, runnersLost, waitMs }: Loss, now: Moment): Job {
  const end: AttemptEnd = { outcome: 'lost', exitCode: null, signal: null, reason, usage: null };
  const times = { startedAt: startedAtOf(job.current), endedAt: now.at };
  const attempt: EndedAttempt = { ...placeOf(job.current), ...end, state: 'ended', ...times };
  if (runnersLost === null) return settle(job, attempt, now, waitMs);
  const suspect: EndedAttempt = { ...attempt, lostWith: 'runner' };
  if (job.cancel !== null || runnersLost + 1 < LIMITS.runnersLost) return settle(job, suspect, now, waitMs);
  const why = `it was on ${runnersLost + 1} runners that were lost, and may be what ends them (runnersLost)`;
  return finish({ ...job, past: [...job.past, suspect] }, 'lost', why, now);
}

/** It has waited in the queue for as long as its spec allows. */
export function expireJob(job: QueuedJob, now: Moment): FinalJob {
  return finish(job, 'expired', 'no runner took it within its queueTimeout', now);
}

/** What it waited for has come. */
export function releaseJob(job: WaitingJob, now: Moment): QueuedJob {
  return { ...baseOf(job, now), state: 'queued', queuedAt: now.at };
}

/** A client wants one more attempt of a job that was final, whatever its retry policy says. It queues anew. */
export function reviveJob(job: FinalJob, sequence: number, now: Moment): QueuedJob | Refusal {
  if (job.state === 'succeeded') return refuse('wrongState', 'the job has succeeded: there is nothing to try again');
  if (job.past.length >= LIMITS.attempts)
    return refuse('wrongState', `the job had ${LIMITS.attempts} attempts (attempts)`);
  return { ...baseOf(job, now), sequence, revivals: (job.revivals ?? 0) + 1, state: 'queued', queuedAt: now.at };
}

function settle(job: LiveJob, attempt: EndedAttempt, now: Moment, waitMs = 0): Job {
  const ended = { ...job, past: [...job.past, attempt] };
  const { outcome, reason } = attempt;
  if (job.cancel !== null) return finish(ended, 'cancelled', `cancelled by ${job.cancel.by}`, now);
  switch (outcome) {
    case 'succeeded':
    case 'cancelled':
      return finish(ended, outcome, reason, now);
    case 'preempted':
      return requeue(ended, 0, now);
    case 'failed':
    case 'timedOut':
    case 'lost':
      if (!allowsRetryOf(ended.plan.retry, ended.past)) return finish(ended, outcome, reason, now);
      return requeue(ended, Math.max(waitMs, backoffMs(ended.plan.retry, ended.past, ended.id)), now);
    default:
      return unreachable(outcome);
  }
}

function requeue(job: Job, waitMs: number, now: Moment): Job {
  if (waitMs === 0) return { ...baseOf(job, now), state: 'queued', queuedAt: now.at };
  return { ...baseOf(job, now), state: 'waiting', until: now.at + waitMs, why: 'backoff' };
}

function atItsTime<Base extends { readonly plan: JobPlan }>(base: Base, now: Moment) {
  const { notBefore } = base.plan;
  return notBefore !== null && notBefore > now.at
    ? ({ ...base, state: 'waiting', until: notBefore, why: 'notBefore' } as const)
    : ({ ...base, state: 'queued', queuedAt: now.at } as const);
}

function finish(job: Job, state: FinalState, reason: string | null, now: Moment): FinalJob {
  return { ...baseOf(job, now), state, finalAt: now.at, reason };
}

function baseOf(job: Job, now: Moment) {
  const { id, spec, plan, submittedBy, submittedAt, sequence, depth = 0, past, revivals = 0, schedule } = job;
  const base = { id, spec, plan, submittedBy, submittedAt, sequence, depth, past, revivals, index: now.index };
  return schedule === undefined ? base : { ...base, schedule };
}

function placeOf({ attempt, runner, incarnation, assignedAt }: LiveAttempt) {
  return { attempt, runner, incarnation, assignedAt };
}

function startedAtOf(current: LiveAttempt): Timestamp | null {
  return current.state === 'running' ? current.startedAt : null;
}

export function isAt(attempt: LiveAttempt, placement: Placement): boolean {
  return attempt.runner === placement.runner && attempt.incarnation === placement.incarnation;
}

function isCurrent(job: Job, report: AttemptReport): job is LiveJob {
  if (job.state !== 'assigned' && job.state !== 'running') return false;
  return job.current.attempt === report.attempt && job.current.incarnation === report.incarnation;
}

function staleAttempt(job: Job, { attempt }: AttemptReport): Refusal {
  return refuse('staleAttempt', `attempt ${attempt} of this runner is not the current one; the job is ${job.state}`);
}
