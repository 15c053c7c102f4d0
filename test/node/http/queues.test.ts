import { describe, expect, it } from 'vitest';
import { queueView } from '../../../node/http/schemas.ts';
import { serve } from './serving.ts';

const NONE = { running: null, cpu: null, memory: null };

describe('queues', () => {
  it('are as by default until they are set, then as they were set, and listed', async () => {
    const { ask, core } = await serve();
    const before = await ask('GET', '/v1/queues/nightly');
    expect(queueView.parse(before.json())).toEqual(before.json());
    expect(before.json()).toMatchObject({
      weight: 1,
      paused: false,
      strategy: 'spread',
      preemption: 'off',
      limits: NONE,
      index: null,
    });
    const limits = { running: 3, cpu: 1.5, memory: '1GiB' };
    const json = { weight: 4, paused: true, strategy: 'pack', preemption: 'requeue', limits };
    expect((await ask('PUT', '/v1/queues/nightly', { json })).json()).toMatchObject({
      ...json,
      limits: { running: 3, cpu: 1.5, memory: 2 ** 30 },
      projectLimits: NONE,
    });
    expect(core.called('setQueue')[0]?.slice(1)).toEqual([
      'nightly',
      {
        weight: 4,
        state: 'paused',
        strategy: 'pack',
        preemption: 'requeue',
        limits: { running: 3, cpuMilli: 1500, memoryBytes: 2 ** 30 },
      },
    ]);
    expect((await ask('GET', '/v1/queues?limit=5&cursor=a')).json()).toMatchObject({ items: [{ name: 'nightly' }] });
    expect(core.called('queues')[0]?.[0]).toEqual({ limit: 5, cursor: 'a' });
    expect((await ask('DELETE', '/v1/queues/nightly')).json()).toMatchObject({ weight: 1, paused: false, index: null });
  });

  it('leave what is left out, and lift what is null', async () => {
    const { ask, core } = await serve();
    await ask('PUT', '/v1/queues/team%2Fnightly', { json: { projectLimits: { cpu: null } } });
    expect(core.called('setQueue')[0]?.slice(1)).toEqual(['team/nightly', { projectLimits: { cpuMilli: null } }]);
  });

  it.each([
    [{ weight: 0 }, 'invalidRequest', 'weight'],
    [{ paused: 'yes' }, 'invalidRequest', 'paused'],
    [{ strategy: 'random' }, 'invalidRequest', 'strategy'],
    [{ preemption: 'never' }, 'invalidRequest', 'preemption'],
    [{ limits: { running: -1 } }, 'invalidRequest', 'limits.running'],
    [{ limits: { memory: 'much' } }, 'invalidRequest', 'limits.memory'],
    [{ limits: { gpu: 1 } }, 'unknownField', 'limits.gpu'],
    [{ colour: 'red' }, 'unknownField', 'colour'],
  ])('are not set to %j', async (json, code, field) => {
    const { ask } = await serve();
    expect((await ask('PUT', '/v1/queues/q', { json })).problem()).toMatchObject({ status: 400, code, field });
  });

  it('have names as jobs know them', async () => {
    const { ask } = await serve();
    expect((await ask('PUT', '/v1/queues/a%20b', { json: {} })).problem()).toMatchObject({
      status: 400,
      field: 'name',
    });
  });

  it('are seen by who sees jobs, and set by who may change the cluster', async () => {
    const { ask, core } = await serve();
    core.addToken('jobs', ['jobs:read', 'jobs:write']);
    const headers = { authorization: 'Bearer jobs' };
    expect((await ask('GET', '/v1/queues/q', { headers })).status).toBe(200);
    for (const method of ['PUT', 'DELETE'] as const) {
      const answer = await ask(method, '/v1/queues/q', method === 'PUT' ? { headers, json: {} } : { headers });
      expect(answer.problem()).toMatchObject({ status: 403, code: 'forbidden' });
    }
  });
});
