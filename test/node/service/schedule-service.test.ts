import { describe, expect, it } from 'vitest';
import { CronLines } from '../../../node/cron/cron-line.ts';
import { ScheduleService } from '../../../node/service/schedule-service.ts';
import { Fault, type Rejection } from '../../../src/errors.ts';
import type { ScheduleSettings } from '../../../src/schedules/schedule.ts';
import type { Command } from '../../../src/state/commands.ts';
import type { Principal } from '../../../src/auth.ts';
import { LOCAL, planSchedule, START, TestReplica } from '../../src/builders.ts';

const WHO = { principal: LOCAL, scopes: ['admin'] } as const;
const SETTINGS: ScheduleSettings = {
  cron: '0 2 * * *',
  timeZone: 'UTC',
  spec: { command: ['true'] },
  overlap: 'skip',
  catchUpMs: 1000,
  mode: 'active',
};
const DAY = 24 * 60 * 60 * 1000;
const day = (n: number) => new Date(START + 2 * 60 * 60 * 1000 + n * DAY).toISOString();

function setUp() {
  const replica = TestReplica.founded();
  let isFull = false;
  const service = new ScheduleService({
    replica: {
      state: replica.state,
      propose: async (principal: Principal, commands: readonly Command[]) => replica.propose(principal, commands),
      barrier: async () => 0 as never,
    },
    lines: new CronLines(),
    room: {
      expectRoom() {
        if (isFull) throw new Fault('overloaded', 'no room');
      },
    },
    now: () => START,
  });
  return { replica, service, fill: () => (isFull = true) };
}

const code = async (asked: Promise<unknown>) =>
  await asked.then(
    () => 'none',
    (error: unknown) => (error as Rejection).code,
  );

describe('ScheduleService', () => {
  it('tells the next times of one that no leader has planned yet, as of one that was', async () => {
    const { replica, service } = setUp();
    const { schedule, existed } = await service.create(WHO, 'nightly', SETTINGS);
    expect(existed).toBe(false);
    expect(schedule.next).toEqual([0, 1, 2, 3, 4].map(day));
    replica.system(planSchedule(replica.schedule('nightly'), Date.parse(day(3))));
    expect((await service.get('nightly', 'stale')).next).toEqual([3, 4, 5, 6, 7].map(day));
    expect((await service.list({ limit: 10, cursor: null }, 'stale')).items[0]?.next).toEqual([day(3)]);
    expect((await service.set(WHO, 'nightly', { mode: 'paused' })).next).toEqual([]);
  });

  it('takes no line that cannot be read, never fires, or is of no known place', async () => {
    const { replica, service } = setUp();
    const make = (some: Partial<ScheduleSettings>) => code(service.create(WHO, 's', { ...SETTINGS, ...some }));
    expect(await make({ cron: '61 * * * *' })).toBe('invalidCron');
    expect(await make({ cron: '0 0 30 2 *' })).toBe('cronNeverFires');
    expect(await make({ timeZone: 'Mars/Olympus' })).toBe('unknownTimeZone');
    expect(replica.state.schedules.size).toBe(0);
    expect(await make({})).toBe('none');
    const set = (change: Partial<ScheduleSettings>) => code(service.set(WHO, 's', change));
    expect(await set({ cron: '0 0 30 2 *' })).toBe('cronNeverFires');
    expect(await set({ timeZone: 'Mars/Olympus' })).toBe('unknownTimeZone');
    expect(replica.schedule('s')).toMatchObject(SETTINGS);
  });

  it('lists by name, page after page', async () => {
    const { service } = setUp();
    for (const name of ['b', 'c', 'a']) await service.create(WHO, name, SETTINGS);
    const first = await service.list({ limit: 2, cursor: null }, 'stale');
    expect(first.items.map(({ name }) => name)).toEqual(['a', 'b']);
    const second = await service.list({ limit: 2, cursor: first.nextCursor }, 'stale');
    expect([second.items.map(({ name }) => name), second.nextCursor]).toEqual([['c'], null]);
  });

  it('tells of a trigger whether the job was submitted or waits', async () => {
    const { replica, service } = setUp();
    await service.create(WHO, 's', { ...SETTINGS, overlap: 'bufferOne' });
    const fired = await service.trigger(WHO, 's', null);
    expect(fired).toMatchObject({ outcome: 'fired', due: null });
    expect(replica.state.jobs.get(fired.job as never)?.schedule).toEqual({ name: 's', due: null });
    expect(await service.trigger(WHO, 's', null)).toMatchObject({ outcome: 'buffered' });
    expect(await code(service.trigger(WHO, 's', null))).toBe('scheduleBusy');
    expect(await service.get('s', 'stale')).toMatchObject({ unfinished: 1, buffered: { due: null }, fired: 1 });
  });

  it('triggers once under a key, and tells the same job again', async () => {
    const { replica, service } = setUp();
    await service.create(WHO, 's', { ...SETTINGS, overlap: 'allowAll' });
    const key = { key: 'k', bodyHash: 'h' };
    const first = await service.trigger(WHO, 's', key);
    for (let n = 0; n < 20; n += 1) await service.trigger(WHO, 's', null);
    expect(await service.trigger(WHO, 's', key)).toMatchObject({ outcome: 'fired', job: first.job });
    expect(replica.state.jobs.size).toBe(21);
  });

  it('takes none and triggers none while a node has no room for jobs, and pauses them', async () => {
    const { service, fill } = setUp();
    await service.create(WHO, 's', SETTINGS);
    fill();
    expect(await code(service.create(WHO, 't', SETTINGS))).toBe('overloaded');
    expect(await code(service.trigger(WHO, 's', null))).toBe('overloaded');
    expect(await code(service.set(WHO, 's', { mode: 'paused' }))).toBe('none');
  });

  it('knows none that is not there', async () => {
    const { service } = setUp();
    const asked = [
      service.get('s', 'linearizable'),
      service.set(WHO, 's', {}),
      service.set(WHO, 's', { cron: '@daily' }),
      service.delete(WHO, 's'),
      service.trigger(WHO, 's', null),
    ];
    expect(await Promise.all(asked.map(code))).toEqual(asked.map(() => 'unknownSchedule'));
  });
});
