import { Cron } from 'croner';
import { Rejection } from '../../src/errors.ts';
import type { Timestamp } from '../../src/jobs/job.ts';
import { LIMITS } from '../../src/limits.ts';

/**
 * What a cron line means: times, in a time zone. It stands outside of the replicated state, since the rules of time zones
 * come with the program and change with it.
 */
export interface CronLine {
  /** The first time behind `after`; null: there is none. */
  next(after: Timestamp): Timestamp | null;
  /** The last time at or before `until`; null: there is none. */
  last(until: Timestamp): Timestamp | null;
}

/** Lines that are held ready, those used last. */
const HELD_LINES = 1000;
const NICKNAME = /^@[a-z]+$/i;
const FIELDS_MIN = 5;
const FIELDS_MAX = 7;

/** Reads cron lines, and holds those ready that it was asked for last. */
export class CronLines {
  readonly #held = new Map<string, CronLine>();

  /** @throws Rejection `invalidCron`, `unknownTimeZone` */
  read(cron: string, timeZone: string): CronLine {
    const key = `${timeZone} ${cron}`;
    const line = this.#held.get(key) ?? readLine(cron, timeZone);
    this.#held.delete(key);
    this.#held.set(key, line);
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= HELD_LINES) break;
      this.#held.delete(oldest);
    }
    return line;
  }

  /** @throws Rejection as `read` does, and `cronNeverFires` */
  expectToFire(cron: string, timeZone: string, after: Timestamp): void {
    if (this.read(cron, timeZone).next(after) !== null) return;
    throw new Rejection('cronNeverFires', `cron: ${JSON.stringify(cron)} names no time that is to come`, {
      field: 'cron',
    });
  }
}

function readLine(cron: string, timeZone: string): CronLine {
  expectTimeZone(timeZone);
  const line = parse(cron, timeZone);
  let asked: { readonly after: Timestamp; readonly next: Timestamp | null } | null = null;
  return {
    next(after) {
      // Many schedules of one line are due at once.
      if (asked?.after !== after) asked = { after, next: line.nextRun(new Date(after))?.getTime() ?? null };
      return asked.next;
    },
    last: (until) =>
      line
        .previousRuns(1, new Date(until + 1))
        .at(0)
        ?.getTime() ?? null,
  };
}

function parse(cron: string, timezone: string): Cron {
  if (cron.length > LIMITS.cronLength) {
    throw new Rejection('invalidCron', `cron: at most ${LIMITS.cronLength} characters`, {
      field: 'cron',
      limit: { name: 'cronLength', value: LIMITS.cronLength },
    });
  }
  // The parser takes a date too, for something that happens once.
  const fields = cron.trim().split(/\s+/);
  const isLine = fields.length >= FIELDS_MIN && fields.length <= FIELDS_MAX;
  if (!isLine && !NICKNAME.test(cron.trim())) throw invalid(cron, 'it has five fields, six or seven');
  try {
    return new Cron(cron.trim(), { timezone });
  } catch (error) {
    throw invalid(cron, error instanceof Error ? error.message.replace(/^CronPattern: /, '') : 'it cannot be read');
  }
}

function invalid(cron: string, why: string): Rejection {
  return new Rejection('invalidCron', `cron: ${JSON.stringify(cron)} is no cron line: ${why}`, { field: 'cron' });
}

/** A name, not an offset: that would be right for half of the year in most places. */
function expectTimeZone(timeZone: string): void {
  if (/^[A-Za-z]/.test(timeZone) && isKnown(timeZone)) return;
  throw new Rejection(
    'unknownTimeZone',
    `timeZone: there is no time zone ${JSON.stringify(timeZone)}; it has a name such as "Europe/Stockholm" or "UTC"`,
    { field: 'timeZone' },
  );
}

function isKnown(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
