import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FiringView, ScheduleView } from '../../../src/api/schedule-view.ts';
import { answerJson, answerProblem, JOB_ID } from '../../support/fake-api.ts';
import { useFakeCommandLine } from '../../support/use-fake-command-line.ts';

const cli = useFakeCommandLine();

const FIRING: FiringView = {
  due: '2026-01-01T02:00:00.000Z',
  at: '2026-01-01T02:00:00.012Z',
  outcome: 'fired',
  job: JOB_ID,
  count: 1,
  error: null,
};

function scheduleView(changes: Partial<ScheduleView> = {}): ScheduleView {
  return {
    name: 'nightly',
    cron: '0 2 * * *',
    timeZone: 'Europe/Stockholm',
    spec: { command: ['make', 'test'] },
    overlap: 'skip',
    catchUp: '1h',
    paused: false,
    state: 'active',
    next: ['2026-01-02T02:00:00.000Z', '2026-01-03T02:00:00.000Z'],
    unfinished: 1,
    buffered: null,
    fired: 7,
    skipped: 2,
    missed: 30,
    missedCount: 'exact',
    refused: 1,
    firings: [
      FIRING,
      { ...FIRING, outcome: 'missed', job: null, count: 30 },
      { ...FIRING, outcome: 'refused', job: null, error: { code: 'groupClosed', message: 'it takes no more' } },
    ],
    lastError: { at: FIRING.at, code: 'groupClosed', message: 'it takes no more' },
    owner: 'token:ci',
    createdAt: FIRING.at,
    changedAt: FIRING.at,
    index: 9,
    ...changes,
  };
}

const answer = (value: object) => {
  cli.api.handler = (_request, response) => answerJson(response, value);
};

describe('quorate schedule', () => {
  it('lists them with their next time and counts', async () => {
    answer({
      items: [scheduleView(), scheduleView({ name: 'b', missedCount: 'atLeast', state: 'over', next: [] })],
      nextCursor: 'b',
    });
    const { stdout, stderr } = await cli.quorate(['schedule', 'list', '--limit', '2']);
    expect(stdout).toMatch(
      /nightly +active +0 2 \* \* \* +Europe\/Stockholm +2026-01-02T02:00:00.000Z +7 +2 +30 +1 +make test/,
    );
    expect(stdout).toMatch(/b +over .*at least 30/);
    expect(stderr).toMatch(/more than these 2/);
    expect(cli.api.requests[0]).toMatchObject({ method: 'GET', path: '/v1/schedules' });
    expect(cli.api.requests[0]?.query.get('limit')).toBe('2');
  });

  it('shows one with its times, its firings and its last error', async () => {
    answer(scheduleView({ buffered: { due: null, job: JOB_ID } }));
    const { stdout } = await cli.quorate(['schedule', 'show', 'nightly']);
    expect(stdout).toMatch(/cron +0 2 \* \* \* \(Europe\/Stockholm\)/);
    expect(stdout).toMatch(/next +2026-01-02T02:00:00.000Z, 2026-01-03T02:00:00.000Z/);
    expect(stdout).toMatch(/counts +7 fired, 2 skipped, 30 missed, 1 refused/);
    expect(stdout).toMatch(/last error +.*it takes no more \(groupClosed\)/);
    expect(stdout).toMatch(new RegExp(`2026-01-01T02:00:00.000Z +fired +${JOB_ID}`));
    expect(stdout).toMatch(/missed 30/);
  });

  it('makes one of flags, and tells it in JSON', async () => {
    answer(scheduleView());
    const words = ['schedule', 'create', 'nightly', '--cron', '0 2 * * *', '--time-zone', 'Europe/Stockholm'];
    const more = [
      '--overlap',
      'bufferOne',
      '--catch-up',
      '5m',
      '--paused',
      '--cpu',
      '2',
      '--job-name',
      'tests',
      '--json',
    ];
    const { stdout, code } = await cli.quorate([...words, ...more, '--', 'make', '-j2', 'test']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(scheduleView());
    expect(cli.api.requests[0]).toMatchObject({ method: 'POST', path: '/v1/schedules' });
    expect(JSON.parse(cli.api.requests[0]?.body ?? '')).toEqual({
      name: 'nightly',
      cron: '0 2 * * *',
      timeZone: 'Europe/Stockholm',
      overlap: 'bufferOne',
      catchUp: '5m',
      paused: true,
      spec: { command: ['make', '-j2', 'test'], name: 'tests', resources: { cpu: 2 } },
    });
  });

  it('makes one of a file, which flags go before', async () => {
    answer(scheduleView());
    const file = join(cli.folder, 'spec.json');
    await writeFile(file, JSON.stringify({ command: ['true'], queue: 'slow', priority: 1 }));
    await cli.quorate(['schedule', 'create', 's', '--cron', '@daily', '--file', file, '--queue', 'fast']);
    expect(JSON.parse(cli.api.requests[0]?.body ?? '')).toEqual({
      name: 's',
      cron: '@daily',
      spec: { command: ['true'], queue: 'fast', priority: 1 },
    });
  });

  it.each([
    [['create', 's', '--', 'true'], /--cron/],
    [['create', 's', '--cron', '@daily'], /nothing to submit/],
    [['create', 's', '--cron', '@daily', '--overlap', 'never', '--', 'x'], /Allowed choices/],
    [['set', 's'], /nothing to set/],
  ])('asks for what is missing: %j', async (words, told) => {
    const { code, stderr } = await cli.quorate(['schedule', ...words]);
    expect(code).toBe(2);
    expect(stderr).toMatch(told);
    expect(cli.api.requests).toHaveLength(0);
  });

  it.each<[string, string, object]>([
    ['pause nightly', 'PUT', { paused: true }],
    ['resume nightly', 'PUT', { paused: false }],
    ['set nightly --cron @hourly --overlap allowAll', 'PUT', { cron: '@hourly', overlap: 'allowAll' }],
  ])('changes one: %s', async (words, method, body) => {
    answer(scheduleView());
    expect((await cli.quorate(['schedule', ...words.split(' ')])).code).toBe(0);
    const [request] = cli.api.requests;
    expect(request).toMatchObject({ method, path: '/v1/schedules/nightly', body: JSON.stringify(body) });
  });

  it('triggers one and prints the id of the job alone', async () => {
    answer({ ...FIRING, due: null });
    const { stdout, stderr } = await cli.quorate(['schedule', 'trigger', 'nightly']);
    expect([stdout, stderr]).toEqual([`${JOB_ID}\n`, '']);
    expect(cli.api.requests[0]).toMatchObject({ method: 'POST', path: '/v1/schedules/nightly/trigger' });
    answer({ ...FIRING, due: null, outcome: 'buffered' });
    expect((await cli.quorate(['schedule', 'trigger', 'nightly'])).stderr).toMatch(/once the job of nightly/);
  });

  it('deletes one', async () => {
    cli.api.handler = (_request, response) => void response.writeHead(204).end();
    expect(await cli.quorate(['schedule', 'delete', 'team/nightly'])).toMatchObject({
      code: 0,
      stdout: 'team/nightly deleted\n',
    });
    expect(cli.api.requests[0]).toMatchObject({ method: 'DELETE', path: '/v1/schedules/team%2Fnightly' });
  });

  it.each([
    ['unknownSchedule', 404, /quorate schedule list/],
    ['schedulePaused', 409, /quorate schedule resume/],
    ['scheduleBusy', 409, /--overlap allowAll/],
  ])('tells what to do after %s', async (code, status, next) => {
    cli.api.handler = (_request, response) => answerProblem(response, status, code);
    const told = await cli.quorate(['schedule', 'trigger', 'nightly']);
    expect(told.code).toBe(4);
    expect(told.stderr).toMatch(next);
  });
});

describe('quorate jobs', () => {
  it('lists those of a schedule', async () => {
    answer({ items: [], nextCursor: null });
    await cli.quorate(['jobs', '--schedule', 'nightly']);
    expect(cli.api.requests[0]?.query.get('schedule')).toBe('nightly');
  });
});
