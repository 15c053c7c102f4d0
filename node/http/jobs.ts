import { z } from 'zod';
import type { JobView } from '../../src/api/views.ts';
import { Rejection } from '../../src/errors.ts';
import type { JobId } from '../../src/ids.ts';
import { checkJobSpec } from '../../src/jobs/edge.ts';
import { JOB_STATES } from '../../src/jobs/job.ts';
import { type JobSpec, jobSpecSchema } from '../../src/jobs/spec.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Core, ListQuery, Named } from '../core.ts';
import { idempotencyOf, keyHeaders } from './idempotency-key.ts';
import { json, route } from './route.ts';
import type { Answer, Route, RouteInput } from './route.ts';
import {
  consistency,
  explanationView,
  groupId,
  idParams,
  jobId,
  jobView,
  labelsWanted,
  pageOf,
  pageQuery,
  readQuery,
  waitMs,
} from './schemas.ts';

const jobAnswer = { 200: { description: 'The job.', schema: jobView } };

export function jobRoutes(core: Core): readonly Route[] {
  return [
    submitRoute(core),
    listRoute(core),
    getRoute(core),
    waitRoute(core),
    explainRoute(core),
    cancelRoute(core),
    retryRoute(core),
  ];
}

/** What routes that take one job have in common. */
export const submission = {
  headers: keyHeaders,
  body: {
    kind: 'json',
    schema: jobSpecSchema,
    check: checkJobSpec,
    maxBytes: { name: 'specBytes', value: LIMITS.specBytes },
    types: 'orUntyped',
  },
  responses: {
    201: { description: 'The job, held by a quorum.', schema: jobView },
    200: { description: 'The job that was submitted before under this key.', schema: jobView },
  },
} as const;

function submitRoute(core: Core): Route {
  return route({
    method: 'POST',
    path: '/v1/jobs',
    scope: 'jobs:write',
    own: 'new',
    summary: 'Submit a job',
    ...submission,
    handle: async ({ body, ...request }) => await submitOne(core, body, request),
  });
}

export async function submitOne(
  core: Core,
  spec: JobSpec,
  { identity, headers }: Pick<RouteInput<unknown, unknown, unknown>, 'identity' | 'headers'>,
): Promise<Answer> {
  const [result] = await core.submit(identity, [{ spec, idempotency: idempotencyOf(headers, spec) }]);
  if (result === undefined) throw new Error('the core gave no answer to a submission');
  if (!result.ok) {
    throw new Rejection(result.code, result.message, result.field === undefined ? {} : { field: result.field });
  }
  const job = result.existed ? await readKept(core, result.id) : await readBack(core, result.id);
  return {
    kind: 'json',
    status: result.existed ? 200 : 201,
    body: job,
    headers: { location: `/v1/jobs/${result.id}` },
  };
}

/** The submitting node has applied the entry, so its own replica holds the job; one without a replica has to ask. */
async function readBack(core: Core, id: JobId): Promise<JobView> {
  try {
    return await core.job(id, 'stale');
  } catch (error) {
    if (error instanceof Rejection && error.code === 'notFound') return await core.job(id, 'linearizable');
    throw error;
  }
}

/** @throws Rejection `gone`: what was submitted once under a key is not made a second time when it is purged */
async function readKept(core: Core, id: JobId): Promise<JobView> {
  try {
    return await core.job(id, 'linearizable');
  } catch (error) {
    if (!(error instanceof Rejection) || error.code !== 'notFound') throw error;
    const what = `the job ${id}, which was submitted under this key, has ended and is purged`;
    throw new Rejection('gone', `${what}; to run it once more, submit it under another key`, {
      field: 'Idempotency-Key',
    });
  }
}

const listQuery = z.strictObject({
  state: z.enum(JOB_STATES).optional(),
  queue: z.string().max(LIMITS.nameLength).optional(),
  project: z.string().max(LIMITS.nameLength).optional(),
  name: z.string().max(LIMITS.nameLength).optional(),
  label: labelsWanted,
  group: z.string().transform(groupId).optional(),
  parent: z.string().transform(jobId).optional(),
  schedule: z.string().max(LIMITS.nameLength).optional(),
  ...pageQuery,
  consistency,
});

function listRoute(core: Core): Route {
  return route({
    method: 'GET',
    path: '/v1/jobs',
    scope: 'jobs:read',
    own: 'handler',
    summary: 'List jobs, newest first',
    query: listQuery,
    responses: { 200: { description: 'One page.', schema: pageOf(jobView) } },
    async handle({ query, identity }) {
      await core.checkOwn(identity, filteredBy(query));
      return json(await core.jobs(toListQuery(query), query.consistency));
    },
  });
}

/** What narrows a list to what one job may own. */
function filteredBy({ parent, group }: z.output<typeof listQuery>): Named | null {
  if (parent !== undefined) return { kind: 'job', id: parent };
  return group === undefined ? null : { kind: 'jobsOfGroup', id: group };
}

function toListQuery(query: z.output<typeof listQuery>): ListQuery {
  const { state, queue, project, name, group, parent, schedule, label: labels } = query;
  return {
    filter: {
      ...(state === undefined ? {} : { state }),
      ...(queue === undefined ? {} : { queue }),
      ...(project === undefined ? {} : { project }),
      ...(name === undefined ? {} : { name }),
      ...(group === undefined ? {} : { group }),
      ...(parent === undefined ? {} : { parent }),
      ...(labels === undefined ? {} : { labels }),
      ...(schedule === undefined ? {} : { schedule }),
    },
    limit: query.limit,
    cursor: query.cursor ?? null,
  };
}

function getRoute(core: Core): Route {
  return route({
    method: 'GET',
    path: '/v1/jobs/:id',
    scope: 'jobs:read',
    own: 'job',
    summary: 'Read one job',
    params: idParams,
    query: readQuery,
    responses: jobAnswer,
    handle: async ({ params, query }) => json(await core.job(jobId(params.id), query.consistency)),
  });
}

function waitRoute(core: Core): Route {
  return route({
    method: 'GET',
    path: '/v1/jobs/:id/wait',
    scope: 'jobs:read',
    own: 'job',
    summary: 'Wait until a job is final, or as long as asked',
    params: idParams,
    query: z.strictObject({ timeout: waitMs }),
    responses: { 200: { description: 'The job, final or as it was at the timeout.', schema: jobView } },
    async handle({ params, query, signal }) {
      const abort = signal();
      const job = await core.waitForJob(jobId(params.id), query.timeout, abort).catch((error: unknown) => {
        abort.throwIfAborted();
        throw error;
      });
      return json(job);
    },
  });
}

function explainRoute(core: Core): Route {
  return route({
    method: 'GET',
    path: '/v1/jobs/:id/explain',
    scope: 'jobs:read',
    own: 'job',
    summary: 'Why a job is where it is, in numbers',
    params: idParams,
    query: readQuery,
    responses: { 200: { description: 'The reasons.', schema: explanationView } },
    handle: async ({ params, query }) => json(await core.explainJob(jobId(params.id), query.consistency)),
  });
}

function cancelRoute(core: Core): Route {
  return route({
    method: 'POST',
    path: '/v1/jobs/:id/cancel',
    scope: 'jobs:write',
    own: 'job',
    summary: 'Cancel a job',
    params: idParams,
    query: z.strictObject({
      mode: z.enum(['any', 'queued']).default('any').meta({ description: '`queued`: only what does not run yet.' }),
    }),
    responses: jobAnswer,
    handle: async ({ params, query, identity }) => json(await core.cancelJob(identity, jobId(params.id), query.mode)),
  });
}

function retryRoute(core: Core): Route {
  return route({
    method: 'POST',
    path: '/v1/jobs/:id/retry',
    scope: 'jobs:write',
    own: 'job',
    summary: 'Give a final job another attempt',
    params: idParams,
    responses: jobAnswer,
    handle: async ({ params, identity }) => json(await core.retryJob(identity, jobId(params.id))),
  });
}
