import { describe, expect, it } from 'vitest';
import {
  clusterView,
  createdJoinToken,
  createdToken,
  jobView,
  pageOf,
  runnerView,
  tokenView,
} from '../../../node/http/schemas.ts';
import { FakeCore } from './fake-core.ts';
import { serve } from './serving.ts';

describe('runners', () => {
  it('are listed', async () => {
    const { ask } = await serve();
    const answer = await ask('GET', '/v1/runners');
    expect(answer.json()).toMatchObject({ items: [{ id: 'runner-1', state: 'ready' }], nextCursor: null });
  });

  it('are drained and undrained', async () => {
    const { ask } = await serve();
    expect((await ask('POST', '/v1/runners/runner-1/drain')).json()).toMatchObject({ state: 'draining' });
    expect((await ask('POST', '/v1/runners/runner-1/undrain')).json()).toMatchObject({ state: 'ready' });
    expect((await ask('POST', '/v1/runners/other/drain')).problem()).toMatchObject({
      status: 404,
      code: 'unknownRunner',
    });
  });
});

describe('the cluster', () => {
  it('is told', async () => {
    const { ask } = await serve();
    expect((await ask('GET', '/v1/cluster')).json()).toMatchObject({ clusterId: 'cluster-1', leader: 'node-1' });
  });

  it('has its members promoted, demoted and removed, and its leadership handed on', async () => {
    const { ask, core } = await serve();
    await ask('POST', '/v1/cluster/members', { json: { id: 'node-2', role: 'voter' } });
    await ask('POST', '/v1/cluster/members', { json: { id: 'node-2', role: 'learner', force: true } });
    await ask('DELETE', '/v1/cluster/members/node-3');
    await ask('DELETE', '/v1/cluster/members/node-3?force=true');
    await ask('POST', '/v1/cluster/transfer', { json: { to: 'node-2' } });
    expect(core.called('setMemberRole').map((call) => call.slice(1))).toEqual([
      ['node-2', 'voter', 'safely'],
      ['node-2', 'learner', 'force'],
    ]);
    expect(core.called('removeMember').map((call) => call.slice(1))).toEqual([
      ['node-3', 'safely'],
      ['node-3', 'force'],
    ]);
    expect(core.called('transferLeadership')[0]?.slice(1)).toEqual(['node-2']);
  });

  it('invites a machine with a token for one use and the command to run there', async () => {
    const { ask, core } = await serve();
    const answer = await ask('POST', '/v1/cluster/members', { json: { ttl: '10m' } });
    expect(answer.status).toBe(201);
    expect(answer.json()).toMatchObject({ token: 'join-text', uses: 1, command: 'quorate up --join join-text' });
    expect(core.called('createJoinToken')[0]?.[1]).toEqual({ uses: 1, ttlMs: 600_000 });
  });

  it('has its settings changed, each by itself', async () => {
    const { ask, core } = await serve();
    for (const json of [{ voters: 5 }, { replaceDeadAfter: '10m' }, { replaceDeadAfter: 'never' }, {}]) {
      expect((await ask('PUT', '/v1/cluster/settings', { json })).status).toBe(200);
    }
    expect(core.called('setVoterPolicy').map((call) => call[1])).toEqual([
      { voters: 5, replaceDead: null },
      { voters: null, replaceDead: 600_000 },
      { voters: null, replaceDead: 'never' },
      { voters: null, replaceDead: null },
    ]);
    const even = await ask('PUT', '/v1/cluster/settings', { json: { voters: 4 } });
    expect(even.problem()).toMatchObject({ status: 400, field: 'voters' });
    const soon = await ask('PUT', '/v1/cluster/settings', { json: { replaceDeadAfter: 'soon' } });
    expect(soon.problem()).toMatchObject({ status: 400, field: 'replaceDeadAfter' });
  });

  it.each([
    ['/v1/cluster/members', { id: 'node-2', role: 'leader' }, 'role'],
    ['/v1/cluster/members', { id: 'node-2', ttl: '1h' }, 'ttl'],
    ['/v1/cluster/members', { ttl: '90d' }, 'ttl'],
    ['/v1/cluster/members', { role: 'voter' }, 'role'],
    ['/v1/cluster/members', { id: '', role: 'voter' }, 'id'],
    ['/v1/cluster/transfer', {}, 'to'],
    ['/v1/cluster/transfer', { to: 'a', force: true }, 'force'],
  ])('answers 400 to POST %s %j', async (path, json, field) => {
    const { ask } = await serve();
    expect((await ask('POST', path, { json })).problem()).toMatchObject({ status: 400, field });
  });

  it('takes no JSON under the type of a form', async () => {
    const { ask } = await serve();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await ask('POST', '/v1/cluster/transfer', { body: '{"to":"a"}', headers })).status).toBe(415);
  });
});

describe('tokens', () => {
  it('are listed without their secrets', async () => {
    const { ask } = await serve();
    const answer = await ask('GET', '/v1/tokens');
    expect(answer.json()).toEqual({
      items: [{ id: 'token-1', name: 'one', scopes: ['jobs:read'], expiresAt: null }],
      nextCursor: null,
    });
  });

  it('are made with 201 and revoked with 204', async () => {
    const { ask, core } = await serve();
    const made = await ask('POST', '/v1/tokens', { json: { name: 'ci', scopes: ['jobs:write'], ttl: '2h' } });
    expect(made.status).toBe(201);
    expect(made.json()).toMatchObject({ token: 'secret-text' });
    expect(core.called('createToken')[0]?.[1]).toEqual({ name: 'ci', scopes: ['jobs:write'], ttlMs: 7_200_000 });
    const revoked = await ask('DELETE', '/v1/tokens/token-1');
    expect([revoked.status, revoked.text]).toEqual([204, '']);
  });

  it('give no more than their maker has', async () => {
    const { ask, core } = await serve();
    core.addToken('narrow', ['tokens:write', 'jobs:read']);
    const headers = { authorization: 'Bearer narrow' };
    for (const scopes of [['admin'], ['jobs:read', 'jobs:write']]) {
      const answer = await ask('POST', '/v1/tokens', { json: { name: 'n', scopes }, headers });
      expect(answer.problem()).toMatchObject({ status: 403, code: 'forbidden', field: 'scopes' });
    }
    const answer = await ask('POST', '/v1/tokens', { json: { name: 'n', scopes: ['jobs:read'] }, headers });
    expect(answer.status).toBe(201);
    expect(core.called('createToken')).toHaveLength(1);
  });

  it.each([
    [{ name: 'n', scopes: [] }, 'scopes'],
    [{ name: 'n', scopes: ['root'] }, 'scopes[0]'],
    [{ name: '', scopes: ['admin'] }, 'name'],
    [{ name: 'a\0b', scopes: ['admin'] }, 'name'],
    [{ name: 'n', scopes: ['admin'], ttl: '0s' }, 'ttl'],
    [{ name: 'n', scopes: ['admin'], ttl: 'soon' }, 'ttl'],
    [{ name: 'n', scopes: ['admin'], forever: true }, 'forever'],
  ])('are refused as %j', async (json, field) => {
    const { ask } = await serve();
    expect((await ask('POST', '/v1/tokens', { json })).problem()).toMatchObject({ status: 400, field });
  });

  it('for joining are made with uses and a time', async () => {
    const { ask, core } = await serve();
    expect((await ask('POST', '/v1/tokens/join', { json: {} })).json()).toMatchObject({ token: 'join-text', uses: 1 });
    await ask('POST', '/v1/tokens/join', { json: { uses: 3, ttl: '10m' } });
    expect(core.called('createJoinToken').map((call) => call[1])).toEqual([
      { uses: 1, ttlMs: 3_600_000 },
      { uses: 3, ttlMs: 600_000 },
    ]);
    expect((await ask('POST', '/v1/tokens/join', { json: { ttl: '90d' } })).problem()).toMatchObject({ field: 'ttl' });
    expect((await ask('POST', '/v1/tokens/join', { json: { ttl: '0s' } })).problem()).toMatchObject({ field: 'ttl' });
  });
});

describe('the described shapes', () => {
  it.each([
    ['GET', '/v1/jobs', undefined, pageOf(jobView)],
    ['GET', '/v1/runners', undefined, pageOf(runnerView)],
    ['GET', '/v1/cluster', undefined, clusterView],
    ['GET', '/v1/tokens', undefined, pageOf(tokenView)],
    ['POST', '/v1/tokens', { name: 'n', scopes: ['admin'] }, createdToken],
    ['POST', '/v1/tokens/join', {}, createdJoinToken],
    ['POST', '/v1/jobs', { command: ['a'] }, jobView],
  ])('are those of the answer to %s %s', async (method, path, json, schema) => {
    const core = new FakeCore();
    core.addJob();
    const { ask } = await serve(core);
    const answer = await ask(method, path, json === undefined ? {} : { json });
    expect(schema.parse(answer.json())).toEqual(answer.json());
  });
});
