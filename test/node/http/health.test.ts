import { describe, expect, it } from 'vitest';
import { SCOPES } from '../../../src/auth.ts';
import { FakeCore } from './fake-core.ts';
import { serve } from './serving.ts';

interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, unknown> };
}

interface Operation {
  readonly summary: string;
  readonly security: readonly object[];
  readonly 'x-scope'?: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Record<string, unknown> }> };
  readonly responses: Record<string, unknown>;
}

describe('health', () => {
  it('is ok as long as the loop turns, ready or not', async () => {
    const { ask, core } = await serve();
    core.ready = { ready: false, missing: ['a leader'] };
    const answer = await ask('GET', '/healthz');
    expect([answer.status, answer.text]).toEqual([200, 'ok\n']);
  });

  it('is ready with 200, and with 503 tells what is missing', async () => {
    const { ask, core } = await serve();
    const ready = await ask('GET', '/readyz');
    expect([ready.status, ready.json()]).toEqual([200, { ready: true, missing: [] }]);
    core.ready = { ready: false, missing: ['a leader', 'a runner session'] };
    const missing = await ask('GET', '/readyz');
    expect(missing.status).toBe(503);
    expect(missing.json()).toEqual({ ready: false, missing: ['a leader', 'a runner session'] });
  });
});

describe('metrics', () => {
  it('count requests by the pattern of their route, never by the URL', async () => {
    const { ask, core } = await serve();
    const { id } = core.addJob();
    await ask('GET', `/v1/jobs/${id}`);
    await ask('GET', '/v1/jobs/unknown');
    await ask('GET', '/CANARY-PATH');
    const { text, headers } = await ask('GET', '/metrics');
    expect(headers['content-type']).toContain('text/plain');
    expect(text).toContain(
      'quorate_http_request_duration_seconds_count{method="GET",route="/v1/jobs/:id",status="200"} 1',
    );
    expect(text).toContain('{method="GET",route="/v1/jobs/:id",status="404"} 1');
    expect(text).toContain('{method="other",route="unknown",status="404"} 1');
    expect(text).not.toContain(id);
    expect(text).not.toContain('CANARY');
  });
});

describe('the description of the API', () => {
  async function describeApi(): Promise<OpenApi> {
    const { ask } = await serve(new FakeCore(), { version: '1.2.3' });
    return (await ask('GET', '/openapi.json')).json<OpenApi>();
  }

  it('holds every path of the contract', async () => {
    const { openapi, info, paths } = await describeApi();
    expect(openapi).toBe('3.1.0');
    expect(info.version).toBe('1.2.3');
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(operations.toSorted()).toEqual([
      'DELETE /v1/cluster/members/{id}',
      'DELETE /v1/queues/{name}',
      'DELETE /v1/schedules/{name}',
      'DELETE /v1/tokens/{id}',
      'GET /healthz',
      'GET /metrics',
      'GET /openapi.json',
      'GET /readyz',
      'GET /v1/blobs/sha256/{hash}',
      'GET /v1/cluster',
      'GET /v1/cluster/backup',
      'GET /v1/events',
      'GET /v1/groups',
      'GET /v1/groups/{id}',
      'GET /v1/groups/{id}/wait',
      'GET /v1/jobs',
      'GET /v1/jobs/{id}',
      'GET /v1/jobs/{id}/explain',
      'GET /v1/jobs/{id}/logs',
      'GET /v1/jobs/{id}/outputs',
      'GET /v1/jobs/{id}/outputs/{path}',
      'GET /v1/jobs/{id}/wait',
      'GET /v1/queues',
      'GET /v1/queues/{name}',
      'GET /v1/runners',
      'GET /v1/schedules',
      'GET /v1/schedules/{name}',
      'GET /v1/stats',
      'GET /v1/tokens',
      'HEAD /v1/blobs/sha256/{hash}',
      'POST /v1/blobs/missing',
      'POST /v1/cluster/members',
      'POST /v1/cluster/transfer',
      'POST /v1/groups',
      'POST /v1/groups/{id}/cancel',
      'POST /v1/groups/{id}/close',
      'POST /v1/groups/{id}/jobs',
      'POST /v1/jobs',
      'POST /v1/jobs/batch',
      'POST /v1/jobs/{id}/cancel',
      'POST /v1/jobs/{id}/retry',
      'POST /v1/runners/{id}/drain',
      'POST /v1/runners/{id}/undrain',
      'POST /v1/schedules',
      'POST /v1/schedules/{name}/trigger',
      'POST /v1/tokens',
      'POST /v1/tokens/join',
      'PUT /v1/blobs/sha256/{hash}',
      'PUT /v1/cluster/settings',
      'PUT /v1/queues/{name}',
      'PUT /v1/schedules/{name}',
    ]);
  });

  it('tells for each operation its scope, its path parameters and what a problem looks like', async () => {
    const { paths } = await describeApi();
    for (const [path, methods] of Object.entries(paths)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      for (const operation of Object.values(methods)) {
        expect(operation.summary).not.toBe('');
        expect(operation.parameters.filter((each) => each.in === 'path').map((each) => each.name)).toEqual(named);
        expect(operation.responses).toHaveProperty('default');
        const scope = operation['x-scope'];
        if (scope === undefined) expect(operation.security).toEqual([]);
        else expect([...SCOPES, 'anyToken']).toContain(scope);
      }
    }
  });

  it('refers only to schemas that it holds, and takes the job spec from its own schema', async () => {
    const described = await describeApi();
    const text = JSON.stringify(described);
    for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      expect(described.components.schemas).toHaveProperty(name);
    }
    expect(text).not.toContain('$defs');
    const spec = described.paths['/v1/jobs']?.['post']?.requestBody?.content['application/json']?.schema;
    expect(spec).toMatchObject({ type: 'object', required: ['command'], additionalProperties: false });
  });
});
