import { z } from 'zod';
import { Rejection } from '../../src/errors.ts';
import type { GroupId } from '../../src/ids.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import { identifier } from '../../src/jobs/fields.ts';
import { labelsSchema } from '../../src/jobs/spec.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Core } from '../core.ts';
import { idempotencyOf, keyHeaders } from './idempotency-key.ts';
import { submission, submitOne } from './jobs.ts';
import { json, route } from './route.ts';
import type { Route } from './route.ts';
import { consistency, groupId, groupView, idParams, pageOf, pageQuery, readQuery, waitMs } from './schemas.ts';

const DEFAULT_PROJECT = 'default';

const groupAnswer = { 200: { description: 'The group.', schema: groupView } };

export function groupRoutes(core: Core): readonly Route[] {
  return [
    createRoute(core),
    listRoute(core),
    getRoute(core),
    submitRoute(core),
    changeRoute('close', 'Take no more jobs into a group', (identity, id) => core.closeGroup(identity, id)),
    changeRoute('cancel', 'Close a group and cancel its jobs', (identity, id) => core.cancelGroup(identity, id)),
    waitRoute(core),
  ];
}

const groupBody = z.strictObject({
  name: z.string().min(1).max(LIMITS.nameLength).optional(),
  project: identifier.optional(),
  labels: labelsSchema.optional(),
  maxRunning: z
    .int()
    .min(1)
    .max(LIMITS.groupRunningMax)
    .optional()
    .meta({ description: 'How many of its jobs are queued or run at once; all when left out.' }),
  failFast: z
    .boolean()
    .optional()
    .meta({ description: 'The first job that fails, times out, is lost or expires cancels the others.' }),
});

function createRoute(core: Core): Route {
  return route({
    method: 'POST',
    path: '/v1/groups',
    scope: 'jobs:write',
    own: 'new',
    summary: 'Make a group: a set of jobs that takes more until it is closed',
    body: {
      kind: 'json',
      schema: groupBody,
      maxBytes: { name: 'bodyBytes', value: LIMITS.bodyBytes },
      types: 'orUntyped',
    },
    headers: keyHeaders,
    responses: {
      201: { description: 'The group, held by a quorum.', schema: groupView },
      200: { description: 'The group that was made before under this key.', schema: groupView },
    },
    async handle({ body, identity, headers }) {
      const { name = null, project = DEFAULT_PROJECT, labels = {}, maxRunning = null, failFast = false } = body;
      const onFailure = failFast ? 'cancel' : 'continue';
      const spec = { name, project, labels, maxRunning, onFailure } as const;
      const { group, existed } = await core.createGroup(identity, spec, idempotencyOf(headers, spec));
      const location = `/v1/groups/${group.id}`;
      return { kind: 'json', status: existed ? 200 : 201, body: group, headers: { location } };
    },
  });
}

function listRoute(core: Core): Route {
  return route({
    method: 'GET',
    path: '/v1/groups',
    scope: 'jobs:read',
    summary: 'List groups, newest first',
    query: z.strictObject({ ...pageQuery, consistency }),
    responses: { 200: { description: 'One page.', schema: pageOf(groupView) } },
    handle: async ({ query: { limit, cursor, consistency: wanted } }) =>
      json(await core.groups({ limit, cursor: cursor ?? null }, wanted)),
  });
}

function getRoute(core: Core): Route {
  return route({
    method: 'GET',
    path: '/v1/groups/:id',
    scope: 'jobs:read',
    own: 'group',
    summary: 'Read a group, with the number of its jobs in each state',
    params: idParams,
    query: readQuery,
    responses: groupAnswer,
    handle: async ({ params, query }) => json(await core.group(groupId(params.id), query.consistency)),
  });
}

function submitRoute(core: Core): Route {
  return route({
    method: 'POST',
    path: '/v1/groups/:id/jobs',
    scope: 'jobs:write',
    own: 'group',
    summary: 'Submit a job into a group',
    params: idParams,
    ...submission,
    handle: async ({ params, body, ...request }) => await submitOne(core, inGroup(body, groupId(params.id)), request),
  });
}

/** @throws Rejection `invalidRequest` for a spec that names another group */
function inGroup(spec: JobSpec, group: GroupId): JobSpec {
  if (spec.group !== undefined && spec.group !== group) {
    throw new Rejection('invalidRequest', 'group: the path names another one', { field: 'group' });
  }
  return { ...spec, group };
}

function changeRoute(
  change: 'close' | 'cancel',
  summary: string,
  ask: (identity: Parameters<Core['closeGroup']>[0], id: GroupId) => ReturnType<Core['closeGroup']>,
): Route {
  return route({
    method: 'POST',
    path: `/v1/groups/:id/${change}`,
    scope: 'jobs:write',
    own: 'group',
    summary,
    params: idParams,
    responses: groupAnswer,
    handle: async ({ params, identity }) => json(await ask(identity, groupId(params.id))),
  });
}

function waitRoute(core: Core): Route {
  return route({
    method: 'GET',
    path: '/v1/groups/:id/wait',
    scope: 'jobs:read',
    own: 'group',
    summary: 'Wait until a group is closed and all its jobs are final, or as long as asked',
    params: idParams,
    query: z.strictObject({ timeout: waitMs }),
    responses: { 200: { description: 'The group, finished or as it was at the timeout.', schema: groupView } },
    async handle({ params, query, signal }) {
      const abort = signal();
      const group = await core.waitForGroup(groupId(params.id), query.timeout, abort).catch((error: unknown) => {
        abort.throwIfAborted();
        throw error;
      });
      return json(group);
    },
  });
}
