import { z } from 'zod';
import type { NodeId } from '../../src/ids.ts';
import { LIMITS } from '../../src/limits.ts';
import { VOTER_COUNTS } from '../../src/state/voter-policy.ts';
import type { ChangeMode, Core } from '../core.ts';
import { checkInput } from './input.ts';
import { json, route } from './route.ts';
import type { Route } from './route.ts';
import { clusterView, durationMs, idParams, invitation, readQuery } from './schemas.ts';

const DEFAULT_INVITATION_TTL_MS = 60 * 60 * 1000;

const nodeId = z
  .string()
  .min(1)
  .max(LIMITS.nameLength)
  .transform((text) => text as NodeId);

const force = z.boolean().default(false).meta({ description: 'Even when no majority of the voters would be alive.' });
const forceQuery = z.strictObject({
  force: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .meta({ description: 'Even when no majority of the voters would be alive.' }),
});

const clusterAnswer = { 200: { description: 'The cluster.', schema: clusterView } };
const maxBytes = { name: 'bodyBytes', value: LIMITS.bodyBytes };

export function clusterRoutes(core: Core): readonly Route[] {
  return [
    backupRoute(core),
    route({
      method: 'GET',
      path: '/v1/cluster',
      scope: 'cluster:read',
      summary: 'Members, roles, leader, log positions and warnings',
      query: readQuery,
      responses: clusterAnswer,
      handle: async ({ query }) => json(await core.cluster(query.consistency)),
    }),
    addMember(core),
    route({
      method: 'DELETE',
      path: '/v1/cluster/members/:id',
      scope: 'cluster:write',
      summary: 'Remove a member for good',
      params: idParams,
      query: forceQuery,
      responses: clusterAnswer,
      handle: async ({ params, query, identity }) =>
        json(await core.removeMember(identity, params.id as NodeId, modeOf(query.force))),
    }),
    route({
      method: 'POST',
      path: '/v1/cluster/transfer',
      scope: 'cluster:write',
      summary: 'Hand leadership to a voter; answers once it leads',
      body: { kind: 'json', schema: z.strictObject({ to: nodeId }), maxBytes, types: 'json' },
      responses: clusterAnswer,
      handle: async ({ body, identity }) => json(await core.transferLeadership(identity, body.to)),
    }),
    setPolicy(core),
  ];
}

/** With an id a member gets another role; without one a machine that is no member yet is invited. */
function addMember(core: Core): Route {
  const role = z.strictObject({ id: nodeId, role: z.enum(['voter', 'learner', 'automatic']).default('voter'), force });
  const newMachine = z.strictObject({
    ttl: durationMs
      .pipe(z.number().max(LIMITS.joinTokenTtlMaxMs, 'must be at most 30 days'))
      .default(DEFAULT_INVITATION_TTL_MS)
      .meta({ description: 'How long the token is good for; 1h when left out.' }),
  });
  const schema = z.union([role, newMachine]);
  return route({
    method: 'POST',
    path: '/v1/cluster/members',
    scope: 'cluster:write',
    summary: 'Give a member another role, or invite a machine with a join token for one use',
    body: {
      kind: 'json',
      schema,
      // A union's own errors name no field.
      check: (value) => (hasId(value) ? checkInput(role, value) : checkInput(newMachine, value)),
      maxBytes,
      types: 'json',
    },
    responses: {
      ...clusterAnswer,
      201: { description: 'A join token, told this once, and the command for the new machine.', schema: invitation },
    },
    async handle({ body, identity }) {
      if ('id' in body) return json(await core.setMemberRole(identity, body.id, body.role, modeOf(body.force)));
      const created = await core.createJoinToken(identity, { uses: 1, ttlMs: body.ttl });
      return { kind: 'json', status: 201, body: { ...created, command: `quorate up --join ${created.token}` } };
    },
  });
}

function setPolicy(core: Core): Route {
  const voters = z.union(
    VOTER_COUNTS.map((count) => z.literal(count)),
    `must be ${VOTER_COUNTS.join(', ')}`,
  );
  const replaceDeadAfter = z
    .union([z.enum(['automatic', 'never']), durationMs])
    .meta({ description: 'A duration, `never`, or `automatic`: 10m while more than three vote, else never.' });
  return route({
    method: 'PUT',
    path: '/v1/cluster/settings',
    scope: 'cluster:write',
    summary: 'How many nodes vote, and when a dead voter is replaced; what is left out stays',
    body: {
      kind: 'json',
      schema: z.strictObject({ voters: voters.optional(), replaceDeadAfter: replaceDeadAfter.optional() }),
      maxBytes,
      types: 'json',
    },
    responses: clusterAnswer,
    handle: async ({ body, identity }) =>
      json(
        await core.setVoterPolicy(identity, {
          voters: body.voters ?? null,
          replaceDead: body.replaceDeadAfter ?? null,
        }),
      ),
  });
}

function hasId(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'id' in value;
}

function modeOf(forced: boolean): ChangeMode {
  return forced ? 'force' : 'safely';
}

function backupRoute(core: Core): Route {
  return route({
    method: 'GET',
    path: '/v1/cluster/backup',
    scope: 'admin',
    summary: 'The whole replicated state as of one moment, for `quorate restore`',
    responses: { 200: { description: 'The backup.', mediaType: 'application/octet-stream' } },
    async handle() {
      const headers = { 'content-type': 'application/octet-stream', 'content-disposition': 'attachment' };
      return { kind: 'stream', status: 200, headers, pieces: await core.backup() };
    },
  });
}
