import type { Registry } from 'prom-client';
import type { Core } from '../core.ts';
import { json, route } from './route.ts';
import type { Route } from './route.ts';
import { readiness } from './schemas.ts';

export interface HealthDependencies {
  readonly core: Core;
  readonly registry: Registry;
  readonly openApi: () => object;
}

export function healthRoutes({ core, registry, openApi }: HealthDependencies): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/healthz',
      scope: 'public',
      summary: 'Whether the process turns',
      responses: { 200: { description: 'It does.', mediaType: 'text/plain' } },
      handle: async () => ({ kind: 'text', status: 200, text: 'ok\n', mediaType: 'text/plain; charset=utf-8' }),
    }),
    route({
      method: 'GET',
      path: '/readyz',
      scope: 'public',
      summary: 'Whether this node can take and run jobs, and what is missing',
      responses: {
        200: { description: 'It is ready.', schema: readiness },
        503: { description: 'Something is missing.', schema: readiness },
      },
      async handle() {
        const told = core.readiness();
        return { kind: 'json', status: told.ready ? 200 : 503, body: told };
      },
    }),
    route({
      method: 'GET',
      path: '/metrics',
      scope: 'metrics:read',
      summary: 'Metrics in the format of Prometheus',
      responses: { 200: { description: 'All metrics of this node.', mediaType: 'text/plain' } },
      handle: async () => ({
        kind: 'text',
        status: 200,
        text: await registry.metrics(),
        mediaType: registry.contentType,
      }),
    }),
    route({
      method: 'GET',
      path: '/openapi.json',
      scope: 'anyToken',
      summary: 'This description',
      responses: { 200: { description: 'OpenAPI 3.1.' } },
      handle: async () => json(openApi()),
    }),
  ];
}
