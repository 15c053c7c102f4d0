import type { NodeId } from '../../src/ids.ts';
import type { Core } from '../core.ts';
import { json, route } from './route.ts';
import type { Route } from './route.ts';
import { idParams, pageOf, readQuery, runnerView } from './schemas.ts';

export function runnerRoutes(core: Core): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/runners',
      scope: 'runners:read',
      summary: 'List the runners with what they have free',
      query: readQuery,
      responses: { 200: { description: 'All of them.', schema: pageOf(runnerView) } },
      handle: async ({ query }) => json({ items: await core.runners(query.consistency), nextCursor: null }),
    }),
    drainRoute(core, 'drain', 'Give a runner no further jobs'),
    drainRoute(core, 'undrain', 'Give a drained runner jobs again'),
  ];
}

function drainRoute(core: Core, mode: 'drain' | 'undrain', summary: string): Route {
  return route({
    method: 'POST',
    path: `/v1/runners/:id/${mode}`,
    scope: 'runners:write',
    summary,
    params: idParams,
    responses: { 200: { description: 'The runner.', schema: runnerView } },
    handle: async ({ params, identity }) => json(await core.drainRunner(identity, params.id as NodeId, mode)),
  });
}
