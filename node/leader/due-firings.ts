import { v7 as uuidv7 } from 'uuid';
import { Rejection, type RejectionCode } from '../../src/errors.ts';
import type { JobId } from '../../src/ids.ts';
import type { Timestamp } from '../../src/jobs/job.ts';
import type { Schedule } from '../../src/schedules/schedule.ts';
import type { Command } from '../../src/state/commands.ts';
import type { CronLine, CronLines } from '../cron/cron-line.ts';

/** How many times of lines may still be looked at in this round. */
export interface CountingBudget {
  left: number;
}

export interface Moment {
  readonly now: Timestamp;
  readonly budget: CountingBudget;
  /** Lets the event loop turn when much was done. */
  readonly breathe: () => Promise<void>;
}

/** What the leader proposes for a schedule whose time has come; null: it has not. */
export async function proposalFor(schedule: Schedule, lines: CronLines, moment: Moment): Promise<Command | null> {
  const { name, revision, timing, cron, timeZone } = schedule;
  let line: CronLine;
  try {
    line = lines.read(cron, timeZone);
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return unreadable(schedule, error.code, error.message);
  }
  if (timing.state === 'unplanned') {
    const { after } = timing;
    return { kind: 'planSchedule', name, revision, after, next: line.next(after), problem: null };
  }
  if (timing.state !== 'planned' || timing.at > moment.now) return null;
  const { latest, next, missed } = await passed(line, timing.at, moment);
  const job = uuidv7() as JobId;
  return { kind: 'fireSchedule', name, revision, due: timing.at, latest, next, missed, job };
}

/** It was read when it was set, by a program that knows other time zones. Nothing more comes of it until it is set anew. */
function unreadable(schedule: Schedule, code: RejectionCode, message: string): Command | null {
  const { name, revision, timing } = schedule;
  if (timing.state !== 'unplanned' && timing.state !== 'planned') return null;
  const after = timing.state === 'unplanned' ? timing.after : timing.at;
  return { kind: 'planSchedule', name, revision, after, next: null, problem: { code, message } };
}

interface Passed {
  readonly latest: Timestamp;
  readonly next: Timestamp | null;
  readonly missed: Extract<Command, { kind: 'fireSchedule' }>['missed'];
}

/** The times of a line from `due` to now: the last of them, how many came before it, and the one behind it. */
async function passed(line: CronLine, due: Timestamp, { now, budget, breathe }: Moment): Promise<Passed> {
  let latest = due;
  let count = 0;
  let next = line.next(due);
  while (next !== null && next <= now && budget.left > 0) {
    budget.left -= 1;
    latest = next;
    count += 1;
    next = line.next(latest);
    await breathe();
  }
  if (next === null || next > now) return { latest, next, missed: { count, of: 'exact' } };
  const last = Math.max(line.last(now) ?? next, next);
  return { latest: last, next: line.next(last), missed: { count: count + 1, of: 'atLeast' } };
}
