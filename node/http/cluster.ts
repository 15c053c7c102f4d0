import { z } from 'zod';
import type { NodeId } from '../../src/ids.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Core } from '../core.ts';
import { json, route } from './route.ts';
import type { Route } from './route.ts';
import { clusterView, idParams, readQuery } from './schemas.ts';

const nodeId = z
  .string()
  .min(1)
  .max(LIMITS.nameLength)
  .transform((text) => text as NodeId);

const clusterAnswer = { 200: { description: 'The cluster.', schema: clusterView } };
const maxBytes = { name: 'bodyBytes', value: LIMITS.bodyBytes };

export function clusterRoutes(core: Core): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/cluster',
      scope: 'cluster:read',
      summary: 'Members, roles, leader and log positions',
      query: readQuery,
      responses: clusterAnswer,
      handle: async ({ query }) => json(await core.cluster(query.consistency)),
    }),
    route({
      method: 'POST',
      path: '/v1/cluster/members',
      scope: 'cluster:write',
      summary: 'Promote a learner to voter, or demote a voter',
      body: {
        kind: 'json',
        schema: z.strictObject({ id: nodeId, role: z.enum(['voter', 'learner']) }),
        maxBytes,
        types: 'json',
      },
      responses: clusterAnswer,
      handle: async ({ body, identity }) => json(await core.setMemberRole(identity, body.id, body.role)),
    }),
    route({
      method: 'DELETE',
      path: '/v1/cluster/members/:id',
      scope: 'cluster:write',
      summary: 'Remove a member for good',
      params: idParams,
      responses: clusterAnswer,
      handle: async ({ params, identity }) => json(await core.removeMember(identity, params.id as NodeId)),
    }),
    route({
      method: 'POST',
      path: '/v1/cluster/transfer',
      scope: 'cluster:write',
      summary: 'Hand leadership to a voter',
      body: { kind: 'json', schema: z.strictObject({ to: nodeId }), maxBytes, types: 'json' },
      responses: clusterAnswer,
      handle: async ({ body, identity }) => json(await core.transferLeadership(identity, body.to)),
    }),
  ];
}
