import { describe, expect, it } from 'vitest';
import type { TokenId } from '../../../src/ids.ts';
import { LIMITS } from '../../../src/limits.ts';
import { KEPT_FIRINGS, type ScheduleSettings } from '../../../src/schedules/schedule.ts';
import type { CommandResult } from '../../../src/state/commands.ts';
import { FOLLOW_UPS_PER_ENTRY } from '../../../src/state/follow-ups.ts';
import {
  assign,
  bearer,
  cancel,
  createGroup,
  createSchedule,
  createToken,
  ended,
  fireSchedule,
  groupId,
  jobId,
  LOCAL,
  planSchedule,
  START,
  submit,
  TestReplica,
} from '../builders.ts';

const DONE = { ok: true };
const refused = (code: string) => expect.objectContaining({ ok: false, code });
const SECOND = 1000;

/** With a schedule whose next time is a second from now. */
function planned(some: Partial<ScheduleSettings> = {}, replica = TestReplica.withRunner()): TestReplica {
  replica.local(createSchedule('s', some));
  replica.system(planSchedule(replica.schedule('s'), replica.at + SECOND));
  return replica;
}

/** Fires it at its time, for the job of this number. */
function fire(
  replica: TestReplica,
  n: number,
  some: Parameters<typeof fireSchedule>[2] = {},
): readonly CommandResult[] {
  const { timing } = replica.schedule('s');
  if (timing.state === 'planned') replica.at = Math.max(replica.at, timing.at);
  return replica.system(fireSchedule(replica.schedule('s'), n, some));
}

const outcomes = (replica: TestReplica) => replica.schedule('s').firings.map(({ outcome }) => outcome);
const has = (replica: TestReplica, n: number) => replica.disk.has(`job ${jobId(n)}`);

describe('a schedule', () => {
  it('is to be planned from the moment that it is made, and fires at the time that the leader found', () => {
    const replica = TestReplica.withRunner();
    expect(replica.local(createSchedule('s'))).toEqual([DONE]);
    expect(replica.schedule('s').timing).toEqual({ state: 'unplanned', after: START });
    expect(replica.system(planSchedule(replica.schedule('s'), START + SECOND))).toEqual([DONE]);
    expect(fire(replica, 1)).toEqual([DONE]);
    expect(replica.job(1)).toMatchObject({
      state: 'queued',
      submittedBy: 'local',
      schedule: { name: 's', due: START + SECOND },
    });
    expect(replica.schedule('s')).toMatchObject({
      timing: { state: 'planned', at: START + 2 * SECOND },
      counts: { fired: 1, skipped: 0, missed: 0, refused: 0 },
      firings: [{ due: START + SECOND, outcome: 'fired', job: jobId(1) }],
    });
  });

  it('is told as changed once an entry, as it is at its end', () => {
    const replica = planned();
    replica.local({ kind: 'setSchedule', name: 's', change: {} }, { kind: 'deleteSchedule', name: 's' });
    expect(replica.last.events).toEqual([{ kind: 'schedule', name: 's', schedule: null }]);
  });

  it('fires once for each of its times, however often that is proposed', () => {
    const replica = planned({ overlap: 'allowAll' });
    const twice = fireSchedule(replica.schedule('s'), 1);
    replica.at += SECOND;
    expect(replica.system(twice, twice)).toEqual([DONE, refused('wrongState')]);
    expect(replica.system(twice)).toEqual([refused('wrongState')]);
    const another = { ...twice, job: jobId(2) };
    expect(replica.system(another)).toEqual([refused('wrongState')]);
    expect(has(replica, 2)).toBe(false);
    expect(replica.schedule('s').counts.fired).toBe(1);
  });

  it('does not fire before its time, whatever the clock of the leader said', () => {
    const replica = planned();
    const early = fireSchedule(replica.schedule('s'), 1);
    expect(replica.system(early)).toEqual([refused('wrongState')]);
    expect(has(replica, 1)).toBe(false);
  });

  it('does not fire as it was when it was changed meanwhile', () => {
    const replica = planned();
    const before = fireSchedule(replica.schedule('s'), 1);
    replica.local({ kind: 'setSchedule', name: 's', change: { overlap: 'allowAll' } });
    replica.at += SECOND;
    expect(replica.system(before)).toEqual([refused('wrongState')]);
    expect(fire(replica, 1)).toEqual([DONE]);
  });

  it('made anew under its name is another one', () => {
    const replica = planned();
    const before = fireSchedule(replica.schedule('s'), 1);
    replica.local({ kind: 'deleteSchedule', name: 's' }, createSchedule('s'));
    replica.system(planSchedule(replica.schedule('s'), START + SECOND));
    replica.at += SECOND;
    expect(replica.system(before)).toEqual([refused('wrongState')]);
  });

  it.each([
    ['a next time that is not behind the last', { next: START + SECOND }],
    ['a last time before the due one', { latest: START, next: START + SECOND }],
    ['missed times where none passed', { missed: { count: 1, of: 'exact' as const } }],
    ['no missed times where some passed', { latest: START + SECOND + 1, next: null }],
  ])('is not fired with %s', (_, some) => {
    const replica = planned();
    replica.at += 10 * SECOND;
    expect(replica.system(fireSchedule(replica.schedule('s'), 1, some))).toEqual([refused('invalidRequest')]);
  });

  it('is over when its line names no further time, and begins anew when it is set', () => {
    const replica = planned();
    fire(replica, 1, { next: null });
    expect(replica.schedule('s').timing).toEqual({ state: 'over' });
    expect(replica.state.schedulesDue.first()).toBe(null);
    replica.local({ kind: 'setSchedule', name: 's', change: { cron: '@daily' } });
    expect(replica.schedule('s').timing).toEqual({ state: 'unplanned', after: replica.at });
  });

  it('tells why its line cannot be read any more, also when that is found at its time', () => {
    const replica = planned();
    const problem = { code: 'unknownTimeZone', message: 'gone' } as const;
    const { name, revision } = replica.schedule('s');
    const at = START + SECOND;
    const command = { kind: 'planSchedule', name, revision, after: at, next: null, problem } as const;
    expect(replica.system({ ...command, problem: null })).toEqual([refused('wrongState')]);
    expect(replica.system(command)).toEqual([DONE]);
    expect(replica.schedule('s')).toMatchObject({ timing: { state: 'over' }, lastError: problem });
  });

  it('is not planned to a time that has passed, nor from another moment', () => {
    const replica = TestReplica.founded();
    replica.local(createSchedule('s'));
    expect(replica.system(planSchedule(replica.schedule('s'), START))).toEqual([refused('invalidRequest')]);
    const { name, revision } = replica.schedule('s');
    const other = { kind: 'planSchedule', name, revision, after: START - 1, next: START + 1, problem: null } as const;
    expect(replica.system(other)).toEqual([refused('wrongState')]);
  });

  it('remembers its last firings', () => {
    const replica = planned({ overlap: 'allowAll' });
    for (let n = 1; n <= KEPT_FIRINGS + 3; n += 1) fire(replica, n);
    const { firings, counts } = replica.schedule('s');
    expect(firings.map((firing) => 'job' in firing && firing.job)).toEqual(
      Array.from({ length: KEPT_FIRINGS }, (_, i) => jobId(i + 4)),
    );
    expect(counts.fired).toBe(KEPT_FIRINGS + 3);
  });

  it('survives a start, with its times, its jobs and what waits', () => {
    const replica = planned({ overlap: 'bufferOne' });
    fire(replica, 1);
    fire(replica, 2);
    const before = replica.schedule('s');
    replica.reload();
    expect(replica.schedule('s')).toEqual(before);
    expect(replica.state.schedulesDue.first()).toMatchObject({ key: 's', at: START + 3 * SECOND });
    replica.system(assign(1, 1), ended(1, 1));
    expect(replica.job(2).schedule).toEqual({ name: 's', due: START + 2 * SECOND });
  });
});

describe('making a schedule', () => {
  it('twice with the same settings makes one, and another one of the name is refused', () => {
    const replica = TestReplica.founded();
    replica.local(createSchedule('s'));
    const before = replica.schedule('s');
    expect(replica.local(createSchedule('s'))).toEqual([{ ok: true, existed: true }]);
    expect(replica.schedule('s')).toBe(before);
    expect(replica.local(createSchedule('s', { cron: '@daily' }))).toEqual([refused('conflict')]);
    expect(replica.local(createSchedule('s', { spec: { command: ['x'] } }))).toEqual([refused('conflict')]);
  });

  it('is limited', () => {
    const replica = TestReplica.founded();
    replica.local(...Array.from({ length: LIMITS.schedules }, (_, n) => createSchedule(`s${n}`)));
    expect(replica.local(createSchedule('more'), createSchedule('s1'))).toEqual([
      refused('tooManyRequests'),
      { ok: true, existed: true },
    ]);
  });

  it.each([
    { overlap: 'sometimes' },
    { catchUpMs: 0 },
    { catchUpMs: LIMITS.catchUpMaxMs + 1 },
    { cron: 'x'.repeat(LIMITS.cronLength + 1) },
    { mode: 'asleep' },
    { spec: null },
  ])('is refused with %j', (some) => {
    const replica = TestReplica.founded();
    expect(replica.local(createSchedule('s', some as never))).toEqual([refused('invalidRequest')]);
  });

  it('is not for jobs', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1), createSchedule('s'));
    replica.system(assign(1, 1));
    const asker = { id: 'job', token: null, kind: 'job', job: { id: jobId(1), attempt: 1 } } as const;
    const commands = [
      createSchedule('mine'),
      { kind: 'setSchedule', name: 's', change: {} },
      { kind: 'triggerSchedule', name: 's', job: jobId(2) },
      { kind: 'deleteSchedule', name: 's' },
    ] as const;
    expect(replica.propose(asker, commands)).toEqual(commands.map(() => refused('forbidden')));
  });

  it.each(['setSchedule', 'deleteSchedule', 'triggerSchedule'] as const)('comes before %s', (kind) => {
    const replica = TestReplica.founded();
    expect(replica.local({ kind, name: 'none', change: {}, job: jobId(1) })).toEqual([refused('unknownSchedule')]);
  });
});

describe('what was missed', () => {
  it('is counted, and the last of it is made up while that is not too late', () => {
    const replica = planned({ catchUpMs: 5 * SECOND });
    replica.at = START + 10 * SECOND;
    const latest = START + 6 * SECOND;
    expect(fire(replica, 1, { latest, next: START + 60 * SECOND, missed: { count: 5, of: 'exact' } })).toEqual([DONE]);
    expect(replica.job(1).schedule).toEqual({ name: 's', due: latest });
    expect(replica.schedule('s')).toMatchObject({
      counts: { fired: 1, missed: 5 },
      missed: 'exact',
      firings: [
        { due: START + SECOND, outcome: 'missed', count: 5 },
        { due: latest, outcome: 'fired' },
      ],
    });
  });

  it('is all of it when the last is too late, by one millisecond too', () => {
    const replica = planned({ catchUpMs: 5 * SECOND });
    const latest = START + 6 * SECOND;
    replica.at = latest + 5 * SECOND + 1;
    fire(replica, 1, { latest, next: null, missed: { count: 5, of: 'exact' } });
    expect(has(replica, 1)).toBe(false);
    expect(replica.schedule('s')).toMatchObject({ counts: { fired: 0, missed: 6 }, timing: { state: 'over' } });
  });

  it('is told to be more than what was counted', () => {
    const replica = planned();
    replica.at = START + 10 * SECOND;
    fire(replica, 1, { latest: replica.at, next: null, missed: { count: 3, of: 'atLeast' } });
    expect(replica.schedule('s')).toMatchObject({ counts: { missed: 3 }, missed: 'atLeast' });
  });
});

describe('overlap', () => {
  it('skip: a firing does nothing while a job before it is not final, and is counted', () => {
    const replica = planned({ overlap: 'skip' });
    fire(replica, 1);
    fire(replica, 2);
    replica.system(assign(1, 1));
    fire(replica, 3);
    expect([2, 3].map((n) => has(replica, n))).toEqual([false, false]);
    replica.system(ended(1, 1));
    fire(replica, 4);
    expect(outcomes(replica)).toEqual(['fired', 'skipped', 'skipped', 'fired']);
    expect(replica.schedule('s').counts).toMatchObject({ fired: 2, skipped: 2 });
  });

  it('allowAll: each fires', () => {
    const replica = planned({ overlap: 'allowAll' });
    for (const n of [1, 2, 3]) fire(replica, n);
    expect(replica.state.relations.scheduledBy('s').size).toBe(3);
  });

  it('bufferOne: one waits for the end, further ones are skipped', () => {
    const replica = planned({ overlap: 'bufferOne' });
    for (const n of [1, 2, 3]) fire(replica, n);
    expect(outcomes(replica)).toEqual(['fired', 'buffered', 'skipped']);
    expect([2, 3].map((n) => has(replica, n))).toEqual([false, false]);
    replica.system(assign(1, 1), ended(1, 1));
    expect(replica.job(2)).toMatchObject({ state: 'queued', schedule: { due: START + 2 * SECOND } });
    expect(replica.schedule('s')).toMatchObject({ buffered: null, counts: { fired: 2, skipped: 1 } });
  });

  it('bufferOne: waits for the end of all that came before', () => {
    const replica = planned({ overlap: 'allowAll' });
    for (const n of [1, 2]) fire(replica, n);
    replica.local({ kind: 'setSchedule', name: 's', change: { overlap: 'bufferOne' } });
    fire(replica, 3);
    replica.local(cancel(1));
    expect(has(replica, 3)).toBe(false);
    replica.local(cancel(2));
    expect(replica.job(3).state).toBe('queued');
  });

  it('bufferOne: what waits comes also when the job before it is cancelled', () => {
    const replica = planned({ overlap: 'bufferOne' });
    for (const n of [1, 2]) fire(replica, n);
    replica.local(cancel(1));
    expect(replica.job(2).state).toBe('queued');
  });

  it('cancelOther: the others are cancelled first, and the newest comes once they have ended', () => {
    const replica = planned({ overlap: 'cancelOther' });
    fire(replica, 1);
    replica.system(assign(1, 1));
    fire(replica, 2);
    expect(replica.job(1)).toMatchObject({ state: 'assigned', cancel: { by: expect.stringContaining('schedule s') } });
    fire(replica, 3);
    expect([2, 3].map((n) => has(replica, n))).toEqual([false, false]);
    replica.system(ended(1, 1));
    expect(has(replica, 2)).toBe(false);
    expect(replica.job(3).state).toBe('queued');
    expect(outcomes(replica)).toEqual(['fired', 'buffered', 'skipped', 'buffered', 'fired']);
  });

  it('cancelOther: takes the place of one that waits in the same entry', () => {
    const replica = planned({ overlap: 'cancelOther' });
    for (const n of [1, 2]) fire(replica, n);
    expect(replica.job(1)).toMatchObject({ state: 'cancelled', reason: expect.stringContaining('schedule s') });
    expect(replica.job(2).state).toBe('queued');
  });

  it('cancelOther: cancels many in parts, and never the one that comes in their place', () => {
    const replica = planned({ overlap: 'allowAll' });
    const many = FOLLOW_UPS_PER_ENTRY;
    for (let n = 1; n <= many; n += 1) fire(replica, n);
    replica.local({ kind: 'setSchedule', name: 's', change: { overlap: 'cancelOther' } });
    fire(replica, many + 1);
    for (let n = 0; n < 3; n += 1) replica.pass(0);
    expect(replica.state.relations.scheduledBy('s').size).toBe(1);
    expect(replica.job(many + 1).state).toBe('queued');
    expect(replica.state.followUps.size).toBe(0);
  });

  it('counts a job that is tried again as one that is not final', () => {
    const replica = planned({ overlap: 'skip', spec: { command: ['true'] } });
    fire(replica, 1);
    replica.system(assign(1, 1));
    replica.local(cancel(1));
    replica.system(ended(1, 1));
    replica.local({ kind: 'retry', job: jobId(1), record: replica.job(1) as never });
    fire(replica, 2);
    expect(has(replica, 2)).toBe(false);
  });
});

describe('a paused schedule', () => {
  it('does not fire, drops what waits, and misses nothing', () => {
    const replica = planned({ overlap: 'bufferOne' });
    for (const n of [1, 2]) fire(replica, n);
    const before = fireSchedule(replica.schedule('s'), 3);
    replica.local({ kind: 'setSchedule', name: 's', change: { mode: 'paused' } });
    replica.at += 100 * SECOND;
    expect(replica.system(before)).toEqual([refused('wrongState')]);
    expect(replica.state.schedulesDue.first()).toBe(null);
    replica.system(assign(1, 1), ended(1, 1));
    expect(has(replica, 2)).toBe(false);
    replica.local({ kind: 'setSchedule', name: 's', change: { mode: 'active' } });
    expect(replica.schedule('s')).toMatchObject({
      timing: { state: 'unplanned', after: replica.at },
      counts: { fired: 1, skipped: 1, missed: 0 },
    });
  });

  it('is not triggered', () => {
    const replica = planned({ mode: 'paused' });
    expect(replica.local({ kind: 'triggerSchedule', name: 's', job: jobId(1) })).toEqual([refused('schedulePaused')]);
  });
});

describe('triggering', () => {
  it('fires at once as who asks, and leaves the times as they are', () => {
    const replica = planned();
    const { timing } = replica.schedule('s');
    expect(replica.local({ kind: 'triggerSchedule', name: 's', job: jobId(1) })).toEqual([{ ok: true, job: jobId(1) }]);
    expect(replica.job(1).schedule).toEqual({ name: 's', due: null });
    expect(replica.schedule('s').timing).toEqual(timing);
  });

  it('heeds the overlap, and tells when that keeps it from firing', () => {
    const replica = planned({ overlap: 'skip' });
    const trigger = (n: number) => replica.local({ kind: 'triggerSchedule', name: 's', job: jobId(n) });
    trigger(1);
    expect(trigger(2)).toEqual([refused('scheduleBusy')]);
    expect(replica.schedule('s').counts).toMatchObject({ fired: 1, skipped: 0 });
    replica.local({ kind: 'setSchedule', name: 's', change: { overlap: 'bufferOne' } });
    expect(trigger(2)).toEqual([{ ok: true, job: jobId(2) }]);
    expect(replica.schedule('s').buffered).toMatchObject({ job: jobId(2), due: null });
    expect(trigger(3)).toEqual([refused('scheduleBusy')]);
  });

  it('under a key comes once, whether its job was submitted or waits, and not at all when it was refused', () => {
    const replica = planned({ overlap: 'bufferOne', spec: { command: ['true'], group: groupId(1) } });
    const trigger = (n: number, key: string) =>
      replica.local({ kind: 'triggerSchedule', name: 's', job: jobId(n), idempotency: { key, bodyHash: 'h' } });
    expect(trigger(1, 'a')).toEqual([refused('unknownGroup')]);
    replica.local(createGroup(1));
    expect(trigger(2, 'a')).toEqual([{ ok: true, job: jobId(2) }]);
    expect(trigger(3, 'a')).toEqual([{ ok: true, job: jobId(2), existed: true }]);
    expect(trigger(4, 'b')).toEqual([{ ok: true, job: jobId(4) }]);
    expect(trigger(5, 'b')).toEqual([{ ok: true, job: jobId(4), existed: true }]);
    expect(replica.schedule('s').buffered?.job).toBe(jobId(4));
    expect(replica.local(submit(6, { idempotency: { key: 'a', bodyHash: 'other' } }))).toEqual([
      refused('idempotencyConflict'),
    ]);
  });

  it('that is proposed twice answers as the first did', () => {
    const replica = planned({ overlap: 'allowAll' });
    const command = { kind: 'triggerSchedule', name: 's', job: jobId(1) } as const;
    const proposal = { principal: LOCAL, origin: 'node', sequence: 1, commands: [command] };
    expect(replica.apply([proposal])).toEqual([[{ ok: true, job: jobId(1) }]]);
    expect(replica.apply([proposal])).toEqual([[{ ok: true, job: jobId(1) }]]);
    expect(replica.schedule('s').counts.fired).toBe(1);
  });

  it('tells why its job is refused', () => {
    const replica = planned({ spec: { command: ['true'], group: groupId(1) } });
    expect(replica.local({ kind: 'triggerSchedule', name: 's', job: jobId(1) })).toEqual([refused('unknownGroup')]);
    expect(replica.schedule('s').counts.refused).toBe(0);
  });
});

describe('a refused job of a schedule', () => {
  it('is told, and the schedule goes on', () => {
    const replica = planned({ spec: { command: ['true'], group: groupId(1) } });
    expect(fire(replica, 1)).toEqual([DONE]);
    expect(replica.schedule('s')).toMatchObject({
      timing: { state: 'planned' },
      counts: { fired: 0, refused: 1 },
      lastError: { at: replica.at, code: 'unknownGroup' },
    });
    replica.local(createGroup(1));
    fire(replica, 2);
    expect(replica.job(2).plan.group).toBe(groupId(1));
    expect(replica.schedule('s').lastError).toMatchObject({ code: 'unknownGroup' });
  });
});

describe('the owner of a schedule', () => {
  function withTokens(): TestReplica {
    const replica = new TestReplica();
    replica.system(
      { kind: 'createCluster', clusterId: 'cluster', auth: 'required' },
      createToken('admin', ['admin']),
      createToken('alice', ['jobs:write'], START + 60 * SECOND),
      createToken('bob', ['jobs:write']),
    );
    replica.propose(bearer('alice'), [createSchedule('s', { overlap: 'allowAll' })]);
    replica.system(planSchedule(replica.schedule('s'), replica.at + SECOND));
    return replica;
  }

  it('is who its jobs are submitted as', () => {
    const replica = withTokens();
    fire(replica, 1);
    expect(replica.job(1).submittedBy).toBe('token:alice');
  });

  it.each([
    ['revoked', 'unauthenticated', (replica: TestReplica) => void replica.propose(bearer('admin'), [REVOKE])],
    ['expired', 'tokenExpired', (replica: TestReplica) => void (replica.at += 60 * SECOND)],
  ])('has no more jobs submitted once its token is %s, until another one sets it', (_, code, happen) => {
    const replica = withTokens();
    happen(replica);
    expect(fire(replica, 1)).toEqual([DONE]);
    expect(replica.schedule('s')).toMatchObject({ counts: { fired: 0, refused: 1 }, lastError: { code } });
    replica.propose(bearer('bob'), [{ kind: 'setSchedule', name: 's', change: {} }]);
    fire(replica, 2);
    expect(replica.job(2).submittedBy).toBe('token:bob');
  });

  it('is not who triggers it', () => {
    const replica = withTokens();
    replica.propose(bearer('bob'), [{ kind: 'triggerSchedule', name: 's', job: jobId(1) }]);
    expect(replica.job(1).submittedBy).toBe('token:bob');
    fire(replica, 2);
    expect(replica.job(2).submittedBy).toBe('token:alice');
  });
});

const REVOKE = { kind: 'revokeToken', id: 'alice' as TokenId } as const;
