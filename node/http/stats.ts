import type { Core } from '../core.ts';
import { json, route } from './route.ts';
import type { Route } from './route.ts';
import { readQuery, statsView } from './schemas.ts';

export function statsRoutes(core: Core): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/stats',
      scope: 'jobs:read',
      summary: 'How many jobs are in which state, and what became of jobs so far',
      query: readQuery,
      responses: { 200: { description: 'Of the whole cluster.', schema: statsView } },
      handle: async ({ query }) => json(await core.stats(query.consistency)),
    }),
  ];
}
