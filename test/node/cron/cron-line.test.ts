import { describe, expect, it } from 'vitest';
import { CronLines } from '../../../node/cron/cron-line.ts';
import type { Rejection } from '../../../src/errors.ts';
import { LIMITS } from '../../../src/limits.ts';

const lines = new CronLines();
const at = (text: string) => Date.parse(text);

/** The next times of a line behind a moment. */
function times(cron: string, timeZone: string, after: string, count: number): string[] {
  const line = lines.read(cron, timeZone);
  const found: string[] = [];
  for (let next = line.next(at(after)); next !== null && found.length < count; next = line.next(next)) {
    found.push(new Date(next).toISOString().replace('.000Z', 'Z'));
  }
  return found;
}

function refusal(cron: string, timeZone = 'UTC'): string {
  try {
    lines.expectToFire(cron, timeZone, at('2026-01-01T00:00:00Z'));
    return 'none';
  } catch (error) {
    return (error as Rejection).code;
  }
}

describe('a cron line', () => {
  it.each([
    ['0 2 * * *', ['2026-03-01T02:00:00Z', '2026-03-02T02:00:00Z']],
    ['*/20 * * * * *', ['2026-03-01T00:00:20Z', '2026-03-01T00:00:40Z']],
    ['0 0 0 1 1 * 2030', ['2030-01-01T00:00:00Z']],
    ['@hourly', ['2026-03-01T01:00:00Z', '2026-03-01T02:00:00Z']],
    ['0 0 29 2 *', ['2028-02-29T00:00:00Z', '2032-02-29T00:00:00Z']],
    ['0 9 L * *', ['2026-03-31T09:00:00Z', '2026-04-30T09:00:00Z']],
    ['0 9 * * MON#1', ['2026-03-02T09:00:00Z', '2026-04-06T09:00:00Z']],
  ])('%s has its times, behind the moment that is asked for', (cron, expected) => {
    expect(times(cron, 'UTC', '2026-03-01T00:00:00Z', 2)).toEqual(expected);
  });

  it('is of a time zone, also when the clocks change', () => {
    // 02:30 is not there on the 29th of March: it fires at the first moment that is.
    expect(times('30 2 * * *', 'Europe/Stockholm', '2026-03-28T00:00:00Z', 3)).toEqual([
      '2026-03-28T01:30:00Z',
      '2026-03-29T01:00:00Z',
      '2026-03-30T00:30:00Z',
    ]);
    // 02:30 is there twice on the 25th of October: it fires the first time.
    expect(times('30 2 * * *', 'Europe/Stockholm', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00Z',
      '2026-10-26T01:30:00Z',
    ]);
    // What fires all through the day goes on through the hour that is there twice, and leaves out what is not there.
    expect(times('*/30 * * * *', 'Europe/Stockholm', '2026-10-24T23:45:00Z', 5)).toEqual([
      '2026-10-25T00:00:00Z',
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:00:00Z',
      '2026-10-25T01:30:00Z',
      '2026-10-25T02:00:00Z',
    ]);
    expect(times('*/30 2 * * *', 'Europe/Stockholm', '2026-03-28T12:00:00Z', 1)).toEqual(['2026-03-30T00:00:00Z']);
  });

  it('tells its last time up to a moment, that moment included', () => {
    const line = lines.read('*/10 * * * *', 'UTC');
    expect(line.last(at('2026-03-01T00:19:59Z'))).toBe(at('2026-03-01T00:10:00Z'));
    expect(line.last(at('2026-03-01T00:20:00Z'))).toBe(at('2026-03-01T00:20:00Z'));
    expect(line.last(at('2026-03-01T00:20:00.500Z'))).toBe(at('2026-03-01T00:20:00Z'));
  });

  it.each([
    ['', 'invalidCron'],
    ['* * * *', 'invalidCron'],
    ['61 * * * *', 'invalidCron'],
    ['*/0 * * * *', 'invalidCron'],
    ['5-1 * * * *', 'invalidCron'],
    ['a b c d e', 'invalidCron'],
    ['@reboot', 'invalidCron'],
    ['@every 5m', 'invalidCron'],
    ['2026-05-05T00:00:00', 'invalidCron'],
    [`${'0'.repeat(LIMITS.cronLength)} * * * *`, 'invalidCron'],
    ['0 0 30 2 *', 'cronNeverFires'],
    ['0 0 31 4,6,9,11 *', 'cronNeverFires'],
    ['0 0 0 1 1 * 2020', 'cronNeverFires'],
    ['0 0 * * *', 'none'],
  ])('%j: %s', (cron, code) => {
    expect(refusal(cron)).toBe(code);
  });

  it.each([
    ['Mars/Olympus', 'unknownTimeZone'],
    ['', 'unknownTimeZone'],
    ['+02:00', 'unknownTimeZone'],
    ['UTC', 'none'],
    ['America/New_York', 'none'],
  ])('of the time zone %j: %s', (timeZone, code) => {
    expect(refusal('0 0 * * *', timeZone)).toBe(code);
  });
});
