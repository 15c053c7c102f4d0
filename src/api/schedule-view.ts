import type { Timestamp } from '../jobs/job.ts';
import type { JobSpec } from '../jobs/spec.ts';
import type { Firing, Overlap, Schedule } from '../schedules/schedule.ts';
import { formatDuration } from '../units.ts';
import { toTime } from './job-view.ts';

/** A firing, or so many times that were missed. */
export interface FiringView {
  /** The time of the cron line, of missed ones the first; null: it was triggered. */
  readonly due: string | null;
  readonly at: string;
  readonly outcome: Firing['outcome'];
  /** Of one that was fired or waits for the jobs before it. */
  readonly job: string | null;
  /** How many times it tells of. */
  readonly count: number;
  /** Why its job was refused. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface ScheduleView {
  readonly name: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly spec: JobSpec;
  readonly overlap: Overlap;
  /** A duration: how late a firing may be made up. */
  readonly catchUp: string;
  readonly paused: boolean;
  /** `over`: it names no further time, or its line cannot be read any more. */
  readonly state: 'active' | 'paused' | 'over';
  /** When it fires next: a few times, in a list of schedules one. */
  readonly next: readonly string[];
  /** Its jobs that are not final. */
  readonly unfinished: number;
  /** The firing that waits for the end of those. */
  readonly buffered: { readonly due: string | null; readonly job: string } | null;
  readonly fired: number;
  readonly skipped: number;
  readonly missed: number;
  /** `atLeast`: more were missed than could be counted. */
  readonly missedCount: 'exact' | 'atLeast';
  readonly refused: number;
  /** The newest first. */
  readonly firings: readonly FiringView[];
  readonly lastError: { readonly at: string; readonly code: string; readonly message: string } | null;
  /** As whom its jobs are submitted. */
  readonly owner: string;
  readonly createdAt: string;
  readonly changedAt: string;
  readonly index: number;
}

/** @param next its next times, as many as are to be told. @param unfinished its jobs that are not final */
export function toScheduleView(schedule: Schedule, next: readonly Timestamp[], unfinished: number): ScheduleView {
  const { name, cron, timeZone, spec, overlap, mode, timing, counts, buffered, lastError } = schedule;
  return {
    name,
    cron,
    timeZone,
    spec,
    overlap,
    catchUp: formatDuration(schedule.catchUpMs),
    paused: mode === 'paused',
    state: timing.state === 'paused' || timing.state === 'over' ? timing.state : 'active',
    next: next.map(toTime),
    unfinished,
    buffered: buffered === null ? null : { due: dueView(buffered.due), job: buffered.job },
    ...counts,
    missedCount: schedule.missed,
    firings: schedule.firings.map(toFiringView).toReversed(),
    lastError: lastError === null ? null : { ...lastError, at: toTime(lastError.at) },
    owner: schedule.owner.id,
    createdAt: toTime(schedule.createdAt),
    changedAt: toTime(schedule.changedAt),
    index: schedule.index,
  };
}

export function toFiringView(firing: Firing): FiringView {
  const { due, at, outcome } = firing;
  return {
    due: dueView(due),
    at: toTime(at),
    outcome,
    job: 'job' in firing ? firing.job : null,
    count: firing.outcome === 'missed' ? firing.count : 1,
    error: firing.outcome === 'refused' ? { code: firing.code, message: firing.message } : null,
  };
}

function dueView(due: Timestamp | null): string | null {
  return due === null ? null : toTime(due);
}
