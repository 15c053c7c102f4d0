import { describe, expect, it } from 'vitest';
import type { JobView } from '../../../src/api/views.ts';
import type { Idempotency } from '../../../src/state/commands.ts';
import { explanationView, groupView, jobView } from '../../../node/http/schemas.ts';
import { GROUP } from './fake-core.ts';
import { serve } from './serving.ts';

const OTHER = '00000000-0000-7000-9000-000000000002';

describe('groups', () => {
  it('are made, with what they are made for', async () => {
    const { ask, core } = await serve();
    const answer = await ask('POST', '/v1/groups', { json: { name: 'all', maxRunning: 4, failFast: true } });
    expect(answer.status).toBe(201);
    expect(answer.headers.location).toBe(`/v1/groups/${GROUP}`);
    expect(groupView.parse(answer.json())).toEqual(answer.json());
    expect(core.called('createGroup')[0]?.[1]).toEqual({
      name: 'all',
      project: 'default',
      labels: {},
      maxRunning: 4,
      onFailure: 'cancel',
    });
  });

  it('are made of nothing, too', async () => {
    const { ask, core } = await serve();
    expect((await ask('POST', '/v1/groups', { body: '{}' })).status).toBe(201);
    expect(core.called('createGroup')[0]?.[1]).toMatchObject({ maxRunning: null, onFailure: 'continue' });
  });

  it('are made once under one key', async () => {
    const { ask, core } = await serve();
    const make = async (json: object) => await ask('POST', '/v1/groups', { json, headers: { 'idempotency-key': 'k' } });
    const [first, again] = [await make({ name: 'all' }), await make({ project: 'default', name: 'all' })];
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.headers.location).toBe(`/v1/groups/${GROUP}`);
    const [one, same] = core.called('createGroup').map((call) => call[2] as Idempotency);
    expect(one).toMatchObject({ key: 'k' });
    expect(same).toEqual(one);
    await make({ name: 'others' });
    expect(core.called('createGroup').at(-1)?.[2]).not.toEqual(one);
  });

  it.each([
    [{ maxRunning: 0 }, 'invalidRequest', 'maxRunning'],
    [{ failFast: 'yes' }, 'invalidRequest', 'failFast'],
    [{ project: 'a b' }, 'invalidRequest', 'project'],
    [{ limit: 3 }, 'unknownField', 'limit'],
  ])('are not made of %j', async (json, code, field) => {
    const { ask } = await serve();
    expect((await ask('POST', '/v1/groups', { json })).problem()).toMatchObject({ status: 400, code, field });
  });

  it('are read, listed, closed, cancelled and waited for', async () => {
    const { ask, core } = await serve();
    expect((await ask('GET', `/v1/groups/${GROUP}`)).json()).toMatchObject({ id: GROUP, counts: { queued: 0 } });
    expect((await ask('GET', '/v1/groups?limit=3')).json()).toMatchObject({ items: [{ id: GROUP }], nextCursor: null });
    expect((await ask('POST', `/v1/groups/${GROUP}/close`)).json()).toMatchObject({ state: 'closed' });
    expect((await ask('POST', `/v1/groups/${GROUP}/cancel`)).json()).toMatchObject({ cancelledBy: 'local' });
    expect((await ask('GET', `/v1/groups/${GROUP}/wait?timeout=5ms`)).status).toBe(200);
    expect(core.called('waitForGroup')[0]?.slice(0, 2)).toEqual([GROUP, 5]);
  });

  it('that nobody made, or nobody can have made, are not found', async () => {
    const { ask } = await serve();
    for (const id of [OTHER, 'x', `${GROUP}0`]) {
      expect((await ask('GET', `/v1/groups/${id}`)).problem()).toMatchObject({ status: 404, code: 'unknownGroup' });
    }
  });

  it('take one job under one key, and another group is another body', async () => {
    const { ask, core } = await serve();
    const submit = async (path: string, json: object) =>
      await ask('POST', path, { json, headers: { 'idempotency-key': 'k' } });
    const first = await submit(`/v1/groups/${GROUP}/jobs`, { command: ['true'] });
    const again = await submit(`/v1/groups/${GROUP}/jobs`, { command: ['true'] });
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.json<JobView>().id).toBe(first.json<JobView>().id);
    expect((await submit('/v1/jobs', { command: ['true'], group: GROUP })).status).toBe(200);
    expect((await submit('/v1/jobs', { command: ['true'] })).problem()).toMatchObject({ code: 'idempotencyConflict' });
    expect(core.stored.size).toBe(1);
  });

  it('take jobs by their path', async () => {
    const { ask, core } = await serve();
    const answer = await ask('POST', `/v1/groups/${GROUP}/jobs`, { json: { command: ['true'] } });
    expect(answer.status).toBe(201);
    expect(jobView.parse(answer.json())).toEqual(answer.json());
    expect(core.called('submit')[0]?.[1]).toMatchObject([{ spec: { command: ['true'], group: GROUP } }]);
    const another = await ask('POST', `/v1/groups/${GROUP}/jobs`, { json: { command: ['true'], group: OTHER } });
    expect(another.problem()).toMatchObject({ status: 400, field: 'group' });
  });
});

describe('a job', () => {
  it('explains why it is where it is', async () => {
    const { ask, core } = await serve();
    const answer = await ask('GET', `/v1/jobs/${core.addJob().id}/explain`);
    expect(explanationView.parse(answer.json())).toMatchObject({ state: 'queued', fitting: 0 });
  });

  it('is found by its group and by its parent', async () => {
    const { ask, core } = await serve();
    await ask('GET', `/v1/jobs?group=${GROUP}&parent=${OTHER}`);
    expect(core.called('jobs')[0]?.[0]).toMatchObject({ filter: { group: GROUP, parent: OTHER } });
    expect((await ask('GET', '/v1/jobs?parent=x')).status).toBe(404);
  });

  it.each([
    [{ dependsOn: [{ job: 'x' }] }, 'dependsOn[0].job'],
    [{ dependsOn: [{ job: OTHER, on: 'maybe' }] }, 'dependsOn[0].on'],
    [{ dependsOn: [{ job: OTHER }, { job: OTHER, on: 'failed' }] }, 'dependsOn'],
    [{ parent: 'x' }, 'parent'],
    [{ resourceGroup: 'a b' }, 'resourceGroup'],
  ])('is not made of %j', async (some, field) => {
    const { ask } = await serve();
    const answer = await ask('POST', '/v1/jobs', { json: { command: ['true'], ...some } });
    expect(answer.problem()).toMatchObject({ status: 400, code: 'invalidRequest', field });
  });
});
