import type { Principal } from '../auth.ts';
import type { RejectionCode } from '../errors.ts';
import type { JobId } from '../ids.ts';
import type { Moment, Timestamp } from '../jobs/job.ts';
import type { JobSpec } from '../jobs/spec.ts';

/**
 * A schedule fires at the times of its cron line: each firing submits a job, or tells why it did not. The times come from
 * the leader, in commands; nothing here knows what a cron line means.
 */

/** What a firing does while a job of an earlier one is not final. The words are Temporal's. */
export const OVERLAPS = ['skip', 'bufferOne', 'cancelOther', 'allowAll'] as const;
export type Overlap = (typeof OVERLAPS)[number];

/** What a client sets. */
export interface ScheduleSettings {
  readonly cron: string;
  /** By its IANA name. */
  readonly timeZone: string;
  readonly spec: JobSpec;
  readonly overlap: Overlap;
  /** How late a firing may still be made up. */
  readonly catchUpMs: number;
  readonly mode: 'active' | 'paused';
}

/** When it fires next. */
export type Timing =
  | { readonly state: 'paused' }
  /** The leader has yet to find the first time of the line behind this one. */
  | { readonly state: 'unplanned'; readonly after: Timestamp }
  | { readonly state: 'planned'; readonly at: Timestamp }
  /** The line names no further time, or cannot be read any more. */
  | { readonly state: 'over' };

interface FiringBase {
  /** The time of the line; null: it was fired by hand. */
  readonly due: Timestamp | null;
  readonly at: Timestamp;
}

export type Firing = FiringBase &
  /** `buffered`: it waits for the end of the jobs before it, and then comes once more. */
  (
    | { readonly outcome: 'fired' | 'buffered'; readonly job: JobId }
    /** Because of its overlap. */
    | { readonly outcome: 'skipped' }
    /** So many times from `due` on, while no leader was there. */
    | { readonly outcome: 'missed'; readonly count: number }
    | { readonly outcome: 'refused'; readonly code: RejectionCode; readonly message: string }
  );

/** A firing that waits for the end of the jobs before it. */
export interface BufferedFiring {
  readonly due: Timestamp | null;
  /** Of the job to be. */
  readonly job: JobId;
  /** As whom it is submitted. */
  readonly by: Principal;
}

export interface FiringCounts {
  readonly fired: number;
  readonly skipped: number;
  readonly missed: number;
  readonly refused: number;
}

export interface Schedule extends ScheduleSettings {
  readonly name: string;
  readonly timing: Timing;
  /** Changes with each change by a client, also when it is made anew under its name. */
  readonly revision: number;
  /** Who set it last: its jobs are submitted as this one. */
  readonly owner: Principal;
  readonly createdAt: Timestamp;
  readonly changedAt: Timestamp;
  readonly counts: FiringCounts;
  /** Whether `counts.missed` is all, or what could be counted. */
  readonly missed: 'exact' | 'atLeast';
  /** The newest last. */
  readonly firings: readonly Firing[];
  readonly lastError: { readonly at: Timestamp; readonly code: RejectionCode; readonly message: string } | null;
  readonly buffered: BufferedFiring | null;
  /** The log index of the entry that last changed it. */
  readonly index: number;
}

/** Of which firing a job is. */
export interface OfSchedule {
  readonly name: string;
  /** Null: fired by hand. */
  readonly due: Timestamp | null;
}

/** Firings that a schedule remembers. */
export const KEPT_FIRINGS = 10;

export function createSchedule(name: string, settings: ScheduleSettings, owner: Principal, now: Moment): Schedule {
  return {
    ...settings,
    name,
    timing: timingOf(settings, now),
    revision: now.index,
    owner,
    createdAt: now.at,
    changedAt: now.at,
    counts: { fired: 0, skipped: 0, missed: 0, refused: 0 },
    missed: 'exact',
    firings: [],
    lastError: null,
    buffered: null,
    index: now.index,
  };
}

/** Another line, time zone or mode lets the times begin anew, from now on. */
export function changeSchedule(
  schedule: Schedule,
  change: Partial<ScheduleSettings>,
  owner: Principal,
  now: Moment,
): Schedule {
  const changed = { ...schedule, ...change, owner, revision: now.index, changedAt: now.at, index: now.index };
  const isSameLine = changed.cron === schedule.cron && changed.timeZone === schedule.timeZone;
  const keepsTimes = isSameLine && changed.mode === schedule.mode && schedule.timing.state !== 'over';
  const timing = keepsTimes ? schedule.timing : timingOf(changed, now);
  if (changed.mode === 'active' || changed.buffered === null) return { ...changed, timing };
  const { due } = changed.buffered;
  return note({ ...changed, timing, buffered: null }, { due, at: now.at, outcome: 'skipped' }, now);
}

function timingOf({ mode }: Pick<ScheduleSettings, 'mode'>, now: Moment): Timing {
  return mode === 'paused' ? { state: 'paused' } : { state: 'unplanned', after: now.at };
}

/** @param next null: its line names no further time */
export function planNext(schedule: Schedule, next: Timestamp | null, now: Moment): Schedule {
  const timing: Timing = next === null ? { state: 'over' } : { state: 'planned', at: next };
  return { ...schedule, timing, index: now.index };
}

export function failToPlan(schedule: Schedule, code: RejectionCode, message: string, now: Moment): Schedule {
  return { ...planNext(schedule, null, now), lastError: { at: now.at, code, message } };
}

/** Remembers a firing and counts it. */
export function note(schedule: Schedule, firing: Firing, now: Moment): Schedule {
  return {
    ...schedule,
    counts: count(schedule.counts, firing),
    firings: [...schedule.firings, firing].slice(-KEPT_FIRINGS),
    lastError:
      firing.outcome === 'refused' ? { at: firing.at, code: firing.code, message: firing.message } : schedule.lastError,
    index: now.index,
  };
}

function count(counts: FiringCounts, firing: Firing): FiringCounts {
  switch (firing.outcome) {
    case 'buffered':
      return counts;
    case 'missed':
      return { ...counts, missed: counts.missed + firing.count };
    default:
      return { ...counts, [firing.outcome]: counts[firing.outcome] + 1 };
  }
}

/** When the leader has to do something about it; null: nothing is to come. */
export function dueOf({ timing }: Schedule): Timestamp | null {
  switch (timing.state) {
    case 'unplanned':
      return 0;
    case 'planned':
      return timing.at;
    default:
      return null;
  }
}
