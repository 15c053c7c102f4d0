import { describe, expect, it } from 'vitest';
import { firingView, scheduleView } from '../../../node/http/schedule-views.ts';
import { serve } from './serving.ts';

const SPEC = { command: ['make', 'test'] };
const NIGHTLY = { name: 'nightly', cron: '0 2 * * *', spec: SPEC };

describe('schedules', () => {
  it('are made with what is left out as by default, and the same again is told to be there', async () => {
    const { ask, core } = await serve();
    const made = await ask('POST', '/v1/schedules', { json: NIGHTLY });
    expect(made.status).toBe(201);
    expect(made.headers['location']).toBe('/v1/schedules/nightly');
    expect(scheduleView.parse(made.json())).toEqual(made.json());
    expect(made.json()).toMatchObject({ ...NIGHTLY, timeZone: 'UTC', overlap: 'skip', catchUp: '1h', paused: false });
    expect(core.called('createSchedule')[0]?.slice(1)).toEqual([
      'nightly',
      { cron: '0 2 * * *', timeZone: 'UTC', spec: SPEC, overlap: 'skip', catchUpMs: 3_600_000, mode: 'active' },
    ]);
    expect((await ask('POST', '/v1/schedules', { json: NIGHTLY })).status).toBe(200);
  });

  it('are listed, read, changed in parts, and deleted', async () => {
    const { ask, core } = await serve();
    const json = { ...NIGHTLY, timeZone: 'Asia/Tokyo', overlap: 'bufferOne', catchUp: '5m', paused: true };
    await ask('POST', '/v1/schedules', { json });
    expect((await ask('GET', '/v1/schedules?limit=5&cursor=a')).json()).toMatchObject({ items: [json] });
    expect(core.called('schedules')[0]?.[0]).toEqual({ limit: 5, cursor: 'a' });
    expect((await ask('GET', '/v1/schedules/nightly')).json()).toMatchObject({ state: 'paused' });
    const changed = await ask('PUT', '/v1/schedules/nightly', { json: { paused: false, catchUp: '1s' } });
    expect(changed.json()).toMatchObject({ ...json, paused: false, catchUp: '1s' });
    expect(core.called('setSchedule')[0]?.slice(1)).toEqual(['nightly', { mode: 'active', catchUpMs: 1000 }]);
    expect((await ask('DELETE', '/v1/schedules/nightly')).status).toBe(204);
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/trigger'],
    ] as const) {
      const { status, code } = (await ask(method, `/v1/schedules/nightly${path}`)).problem();
      expect([status, code]).toEqual([404, 'unknownSchedule']);
    }
  });

  it('are triggered, and tell the id of the job', async () => {
    const { ask, core } = await serve();
    await ask('POST', '/v1/schedules', { json: NIGHTLY });
    const firing = (await ask('POST', '/v1/schedules/nightly/trigger')).json<{ job: string }>();
    expect(firingView.parse(firing)).toEqual(firing);
    expect(firing).toMatchObject({ outcome: 'fired', due: null, job: expect.any(String) });
    await ask('POST', '/v1/schedules/nightly/trigger', { headers: { 'idempotency-key': 'once' } });
    expect(core.called('triggerSchedule').map((given) => given[2])).toEqual([
      null,
      { key: 'once', bodyHash: expect.any(String) },
    ]);
  });

  it.each([
    [{ name: 'a b' }, 'invalidRequest', 'name'],
    [{ cron: 7 }, 'invalidRequest', 'cron'],
    [{ overlap: 'sometimes' }, 'invalidRequest', 'overlap'],
    [{ catchUp: '999ms' }, 'invalidRequest', 'catchUp'],
    [{ catchUp: '366d' }, 'invalidRequest', 'catchUp'],
    [{ colour: 'red' }, 'unknownField', 'colour'],
    [{ spec: undefined }, 'invalidRequest', 'spec'],
    [{ spec: [] }, 'invalidRequest', 'spec'],
    [{ spec: { command: [] } }, 'invalidRequest', 'spec.command'],
    [{ spec: { ...SPEC, colour: 'red' } }, 'unknownField', 'spec.colour'],
    [{ spec: { ...SPEC, resources: { memory: 'much' } } }, 'invalidRequest', 'spec.resources.memory'],
    [{ spec: { ...SPEC, parent: '00000000-0000-7000-8000-000000000001' } }, 'invalidRequest', 'spec.parent'],
    [{ spec: { ...SPEC, dependsOn: [] } }, 'invalidRequest', 'spec.dependsOn'],
    [{ spec: { ...SPEC, notBefore: '2030-01-01T00:00:00Z' } }, 'invalidRequest', 'spec.notBefore'],
  ])('are not made with %j', async (some, code, field) => {
    const { ask, core } = await serve();
    const { status, ...problem } = (await ask('POST', '/v1/schedules', { json: { ...NIGHTLY, ...some } })).problem();
    expect([status, problem.code, problem.field]).toEqual([400, code, field]);
    expect(problem.detail).toContain(field);
    expect(core.called('createSchedule')).toEqual([]);
  });

  it('are seen by who sees jobs, made by who submits them, and not for the token of a job', async () => {
    const { ask, core } = await serve();
    core.addToken('reader', ['jobs:read']);
    core.addToken('writer', ['jobs:write']);
    const as = (token: string) => ({ authorization: `Bearer ${token}` });
    const made = await ask('POST', '/v1/schedules', { headers: as('writer'), json: NIGHTLY });
    expect(made.status).toBe(201);
    expect((await ask('GET', '/v1/schedules/nightly', { headers: as('reader') })).status).toBe(200);
    const refused = [
      await ask('POST', '/v1/schedules', { headers: as('reader'), json: NIGHTLY }),
      await ask('PUT', '/v1/schedules/nightly', { headers: as('reader'), json: {} }),
      await ask('DELETE', '/v1/schedules/nightly', { headers: as('reader') }),
      await ask('POST', '/v1/schedules/nightly/trigger', { headers: as('reader') }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
    const job = { id: 'job', token: null, kind: 'job', job: { id: 'j', attempt: 1 } } as never;
    core.tokensByText.set('job', { principal: job, scopes: ['jobs:read', 'jobs:write'] });
    const asJob = [
      await ask('POST', '/v1/schedules', { headers: as('job'), json: NIGHTLY }),
      await ask('GET', '/v1/schedules', { headers: as('job') }),
      await ask('POST', '/v1/schedules/nightly/trigger', { headers: as('job') }),
    ];
    expect(asJob.map((answer) => answer.problem().code)).toEqual(['forbidden', 'forbidden', 'forbidden']);
  });

  it('narrow a list of jobs', async () => {
    const { ask, core } = await serve();
    await ask('GET', '/v1/jobs?schedule=nightly');
    expect(core.called('jobs')[0]?.[0]).toMatchObject({ filter: { schedule: 'nightly' } });
  });
});
