import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CronLines } from '../../../node/cron/cron-line.ts';
import { Firer } from '../../../node/leader/firer.ts';
import { LEADER_LIMITS } from '../../../node/leader/limits.ts';
import { Fault } from '../../../src/errors.ts';
import type { Timestamp } from '../../../src/jobs/job.ts';
import type { ScheduleSettings } from '../../../src/schedules/schedule.ts';
import type { Command, CommandResult } from '../../../src/state/commands.ts';
import { SYSTEM, type Principal } from '../../../src/auth.ts';
import { createSchedule, START, TestReplica } from '../../src/builders.ts';

const SECOND = 1000;
const HOUR = 60 * 60 * SECOND;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'setImmediate', 'clearImmediate'] });
  vi.setSystemTime(START);
});
const open: Firer[] = [];
afterEach(() => {
  for (const firer of open.splice(0)) firer.stop();
  vi.useRealTimers();
});

/** What becomes of a proposal: `lost` leaves it out, `unheard` applies it without an answer. */
type Fate = 'taken' | 'lost' | 'unheard';

/** A cluster whose entries are applied at once, stamped by the clock that is played. */
function setUp(options: Partial<typeof LEADER_LIMITS> = {}) {
  const replica = TestReplica.founded();
  const rounds: Command[][] = [];
  let fate: Fate = 'taken';
  let isFull = false;
  const propose = async (principal: Principal, commands: readonly Command[]): Promise<readonly CommandResult[]> => {
    rounds.push([...commands]);
    const told = fate;
    if (told === 'lost') throw new Fault('noLeader', 'nobody took it');
    replica.at = Math.max(replica.at, Date.now());
    const results = replica.propose(principal, commands);
    if (told === 'unheard') throw new Fault('timedOut', 'nobody answered');
    return results;
  };
  const parts = {
    replica: {
      propose,
      get state() {
        return replica.state;
      },
    },
    logger: pino({ level: 'silent' }),
    lines: new CronLines(),
    room: {
      expectRoom() {
        if (isFull) throw new Fault('overloaded', 'no room');
      },
    },
  };
  const leader = () => {
    const firer = new Firer(parts, { ...LEADER_LIMITS, ...options });
    open.push(firer);
    return firer;
  };
  return {
    replica,
    rounds,
    leader,
    let: (next: Fate) => (fate = next),
    fill: () => (isFull = true),
    empty: () => (isFull = false),
    make(name: string, some: Partial<ScheduleSettings> = {}) {
      replica.at = Math.max(replica.at, Date.now());
      replica.local(createSchedule(name, { overlap: 'allowAll', ...some }));
    },
    /** The times for which jobs were made. */
    fired: (name: string): (Timestamp | null | undefined)[] =>
      [...replica.state.jobs.values()]
        .filter(({ schedule }) => schedule?.name === name)
        .map((job) => job.schedule?.due),
  };
}

const every = (ms: number, count: number) => Array.from({ length: count }, (_, i) => START + (i + 1) * ms);

describe('Firer', () => {
  it('fires each schedule at each of its times, and again when it is made while it waits', async () => {
    const { leader, make, fired } = setUp();
    make('hourly', { cron: '@hourly' });
    const firer = leader();
    firer.start();
    await vi.advanceTimersByTimeAsync(10 * SECOND);
    make('often', { cron: '*/10 * * * * *' });
    firer.review();
    await vi.advanceTimersByTimeAsync(HOUR - 10 * SECOND);
    expect(fired('hourly')).toEqual([START + HOUR]);
    expect(fired('often')).toEqual(every(10 * SECOND, 360).slice(1));
  });

  it('proposes nothing before something is due, and nothing for what is paused or over', async () => {
    const { leader, make, rounds } = setUp();
    make('yearly', { cron: '@yearly' });
    make('paused', { mode: 'paused' });
    make('over', { cron: '0 0 0 1 1 * 2029' });
    leader().start();
    await vi.advanceTimersByTimeAsync(HOUR);
    expect(rounds.map((commands) => commands.map(({ kind }) => kind))).toEqual([['planSchedule', 'planSchedule']]);
  });

  it('fires each time once when two nodes take themselves for the leader', async () => {
    const { leader, make, fired, replica } = setUp();
    make('s', { cron: '* * * * * *' });
    const firers = [leader(), leader()];
    for (const firer of firers) firer.start();
    for (let n = 0; n < 20; n += 1) {
      await vi.advanceTimersByTimeAsync(SECOND);
      for (const firer of firers) firer.review();
    }
    expect(fired('s')).toEqual(every(SECOND, 20));
    expect(replica.schedule('s').counts).toMatchObject({ fired: 20, missed: 0 });
  });

  it('fires each time once when it does not hear what became of a proposal', async () => {
    const { leader, make, fired, let: happen } = setUp();
    make('s', { cron: '* * * * * *' });
    leader().start();
    for (const fate of ['taken', 'unheard', 'lost', 'taken', 'unheard', 'taken'] as const) {
      happen(fate);
      await vi.advanceTimersByTimeAsync(700);
    }
    await vi.advanceTimersByTimeAsync(10 * SECOND);
    const times = fired('s');
    expect(new Set(times).size).toBe(times.length);
    expect(times.at(-1)).toBe(START + 14 * SECOND);
  });

  it('makes up the last of what nobody led for, and counts the others', async () => {
    const { leader, make, fired, replica } = setUp();
    make('late', { cron: '*/10 * * * * *', catchUpMs: HOUR });
    make('tooLate', { cron: '@daily', catchUpMs: HOUR });
    const first = leader();
    first.start();
    await vi.advanceTimersByTimeAsync(10 * SECOND);
    first.stop();
    await vi.advanceTimersByTimeAsync(26 * HOUR);
    leader().start();
    await vi.advanceTimersByTimeAsync(9 * SECOND);
    const last = START + 26 * HOUR + 10 * SECOND;
    expect(fired('late')).toEqual([START + 10 * SECOND, last]);
    expect(replica.schedule('late')).toMatchObject({ counts: { missed: 26 * 360 - 1 }, missed: 'exact' });
    expect(fired('tooLate')).toEqual([]);
    expect(replica.schedule('tooLate').counts.missed).toBe(1);
    await vi.advanceTimersByTimeAsync(2 * SECOND);
    expect(fired('late').at(-1)).toBe(last + 10 * SECOND);
  });

  it('counts no more than it may in one go, and tells so', async () => {
    const { leader, make, fired, replica } = setUp({ missedPerRound: 50 as never });
    make('s', { cron: '* * * * * *', catchUpMs: HOUR });
    const first = leader();
    first.start();
    await vi.advanceTimersByTimeAsync(SECOND);
    first.stop();
    await vi.advanceTimersByTimeAsync(HOUR);
    leader().start();
    await vi.advanceTimersByTimeAsync(1);
    expect(fired('s')).toEqual([START + SECOND, START + SECOND + HOUR]);
    expect(replica.schedule('s')).toMatchObject({ missed: 'atLeast', counts: { missed: 51 } });
  });

  it('fires ten thousand that are due at once, in parts, each once', async () => {
    const { leader, rounds, replica } = setUp();
    replica.local(...Array.from({ length: 10_000 }, (_, n) => createSchedule(`s${n}`, { cron: '@hourly' })));
    leader().start();
    await vi.advanceTimersByTimeAsync(HOUR + SECOND);
    expect(Math.max(...rounds.map((commands) => commands.length))).toBe(LEADER_LIMITS.firingsPerRound);
    expect(replica.state.jobs.size).toBe(10_000);
    expect([...replica.state.schedules.values()].every(({ counts }) => counts.fired === 1)).toBe(true);
  });

  it('does not fire again what a clock that went back comes to once more', async () => {
    const { leader, make, fired } = setUp();
    make('s', { cron: '* * * * *' });
    leader().start();
    await vi.advanceTimersByTimeAsync(2 * 60 * SECOND);
    vi.setSystemTime(START);
    await vi.advanceTimersByTimeAsync(4 * 60 * SECOND);
    expect(fired('s')).toEqual(every(60 * SECOND, 4));
  });

  it('notices a clock that went forward, within half a minute', async () => {
    const { leader, make, fired } = setUp();
    make('s', { cron: '@hourly' });
    leader().start();
    await vi.advanceTimersByTimeAsync(SECOND);
    vi.setSystemTime(START + HOUR);
    await vi.advanceTimersByTimeAsync(31 * SECOND);
    expect(fired('s')).toEqual([START + HOUR]);
  });

  it('tells of a line that this program cannot read, and goes on with the others', async () => {
    const { leader, make, fired, replica } = setUp();
    make('bad', { timeZone: 'Mars/Olympus' });
    make('good', { cron: '@hourly' });
    leader().start();
    await vi.advanceTimersByTimeAsync(HOUR);
    expect(fired('good')).toEqual([START + HOUR]);
    expect(replica.schedule('bad')).toMatchObject({
      timing: { state: 'over' },
      lastError: { code: 'unknownTimeZone' },
    });
  });

  it('does the same with one whose time had been found by another program', async () => {
    const { leader, make, replica } = setUp();
    make('bad', { cron: 'not a line' });
    const { revision } = replica.schedule('bad');
    const planned = { kind: 'planSchedule', name: 'bad', revision, after: START, next: START + SECOND, problem: null };
    replica.propose(SYSTEM, [planned as Command]);
    leader().start();
    await vi.advanceTimersByTimeAsync(2 * SECOND);
    expect(replica.schedule('bad')).toMatchObject({ timing: { state: 'over' }, lastError: { code: 'invalidCron' } });
  });

  it('fires nothing while a node has no room for jobs, and then the last of what was due', async () => {
    const { leader, make, fired, fill, empty, replica } = setUp();
    make('s', { cron: '* * * * * *' });
    leader().start();
    fill();
    await vi.advanceTimersByTimeAsync(10 * SECOND + 1);
    expect(fired('s')).toEqual([]);
    empty();
    await vi.advanceTimersByTimeAsync(SECOND);
    expect(fired('s')[0]).toBeGreaterThanOrEqual(START + 10 * SECOND);
    expect(replica.schedule('s').counts.missed).toBeGreaterThanOrEqual(9);
  });

  it('waits before it proposes again what the log did not take', async () => {
    const { leader, make, rounds, let: happen } = setUp();
    make('s');
    happen('lost');
    leader().start();
    await vi.advanceTimersByTimeAsync(SECOND);
    expect(rounds.length).toBeGreaterThan(5);
    expect(rounds.length).toBeLessThan(12);
  });

  it('does nothing once it does not lead any more, also when that comes while it counts', async () => {
    const { leader, make, rounds } = setUp();
    make('s', { cron: '* * * * * *' });
    const firer = leader();
    firer.start();
    firer.stop();
    await vi.advanceTimersByTimeAsync(10 * SECOND);
    expect(rounds).toEqual([]);
    firer.start();
    // The round has begun, and waits for the turn of the event loop in which it would propose.
    vi.advanceTimersByTime(0);
    firer.stop();
    await vi.advanceTimersByTimeAsync(10 * SECOND);
    expect(rounds).toEqual([]);
  });
});
