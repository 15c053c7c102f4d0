import { z } from 'zod';
import { Rejection } from '../../src/errors.ts';
import { checkJobSpec } from '../../src/jobs/edge.ts';
import { identifier } from '../../src/jobs/fields.ts';
import { type JobSpec, jobSpecSchema } from '../../src/jobs/spec.ts';
import { LIMITS } from '../../src/limits.ts';
import { OVERLAPS, type ScheduleSettings } from '../../src/schedules/schedule.ts';
import type { Core } from '../core.ts';
import { idempotencyOf, keyHeaders } from './idempotency-key.ts';
import { checkInput } from './input.ts';
import { json, route } from './route.ts';
import type { Route } from './route.ts';
import { firingView, scheduleView } from './schedule-views.ts';
import { consistency, durationMs, pageOf, pageQuery, readQuery } from './schemas.ts';

const DEFAULT_TIME_ZONE = 'UTC';
const DEFAULT_CATCH_UP_MS = 60 * 60 * 1000;
/** An entry of the log takes a moment to come about. */
const CATCH_UP_MIN_MS = 1000;

const nameParams = z.strictObject({ name: identifier });
const scheduleAnswer = { 200: { description: 'The schedule.', schema: scheduleView } };

const settings = {
  cron: z
    .string()
    .min(1)
    .meta({ description: 'Five fields, or six with seconds, or seven with a year; or "@daily" and the like.' }),
  timeZone: z
    .string()
    .max(LIMITS.nameLength)
    .optional()
    .meta({ description: `Its IANA name, such as "Europe/Stockholm"; ${DEFAULT_TIME_ZONE} when left out.` }),
  spec: jobSpecSchema.omit({ parent: true, detach: true, dependsOn: true, notBefore: true }),
  overlap: z.enum(OVERLAPS).optional().meta({
    description: 'What a firing does while a job of the schedule is not final; `skip` when left out.',
  }),
  catchUp: durationMs
    .pipe(z.number().min(CATCH_UP_MIN_MS, 'must be at least 1s').max(LIMITS.catchUpMaxMs, 'must be at most 365d'))
    .optional()
    .meta({ description: 'How late a firing may still be made up; 1h when left out.' }),
  paused: z.boolean().optional(),
};

const createBody = z.strictObject({ name: identifier, ...settings });
const setBody = z.strictObject({ ...settings, cron: settings.cron.optional(), spec: settings.spec.optional() });
const maxBytes = { name: 'specBytes', value: LIMITS.specBytes } as const;

export function scheduleRoutes(core: Core): readonly Route[] {
  return [createRoute(core), ...readRoutes(core), setRoute(core), deleteRoute(core), triggerRoute(core)];
}

function createRoute(core: Core): Route {
  return route({
    method: 'POST',
    path: '/v1/schedules',
    scope: 'jobs:write',
    summary: 'Make a schedule: a job that is submitted at the times of a cron line',
    body: {
      kind: 'json',
      schema: createBody,
      check: (value) => checkWithSpec(createBody, value),
      maxBytes,
      types: 'orUntyped',
    },
    responses: {
      201: { description: 'The schedule, held by a quorum.', schema: scheduleView },
      200: { description: 'It is there already, and equal.', schema: scheduleView },
    },
    async handle({ body, identity }) {
      const { name, cron, spec, timeZone = DEFAULT_TIME_ZONE, overlap = 'skip', catchUp, paused = false } = body;
      const { schedule, existed } = await core.createSchedule(identity, name, {
        cron,
        timeZone,
        spec,
        overlap,
        catchUpMs: catchUp ?? DEFAULT_CATCH_UP_MS,
        mode: paused ? 'paused' : 'active',
      });
      const location = `/v1/schedules/${encodeURIComponent(name)}`;
      return { kind: 'json', status: existed ? 200 : 201, body: schedule, headers: { location } };
    },
  });
}

function readRoutes(core: Core): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/schedules',
      scope: 'jobs:read',
      summary: 'List the schedules, by name',
      query: z.strictObject({ ...pageQuery, cursor: identifier.optional(), consistency }),
      responses: { 200: { description: 'One page.', schema: pageOf(scheduleView) } },
      handle: async ({ query: { limit, cursor, consistency: wanted } }) =>
        json(await core.schedules({ limit, cursor: cursor ?? null }, wanted)),
    }),
    route({
      method: 'GET',
      path: '/v1/schedules/:name',
      scope: 'jobs:read',
      summary: 'Read a schedule with its next times and last firings',
      params: nameParams,
      query: readQuery,
      responses: scheduleAnswer,
      handle: async ({ params, query }) => json(await core.schedule(params.name, query.consistency)),
    }),
  ];
}

function setRoute(core: Core): Route {
  return route({
    method: 'PUT',
    path: '/v1/schedules/:name',
    scope: 'jobs:write',
    summary: 'Change a schedule, pause or resume it; what is left out stays',
    params: nameParams,
    body: { kind: 'json', schema: setBody, check: (value) => checkWithSpec(setBody, value), maxBytes, types: 'json' },
    responses: scheduleAnswer,
    handle: async ({ params, body, identity }) => json(await core.setSchedule(identity, params.name, changeOf(body))),
  });
}

function deleteRoute(core: Core): Route {
  return route({
    method: 'DELETE',
    path: '/v1/schedules/:name',
    scope: 'jobs:write',
    summary: 'Delete a schedule; its jobs stay',
    params: nameParams,
    responses: { 204: { description: 'It is gone.' } },
    async handle({ params, identity }) {
      await core.deleteSchedule(identity, params.name);
      return { kind: 'empty', status: 204 };
    },
  });
}

function triggerRoute(core: Core): Route {
  return route({
    method: 'POST',
    path: '/v1/schedules/:name/trigger',
    scope: 'jobs:write',
    summary: 'Fire a schedule at once, heeding its overlap',
    params: nameParams,
    headers: keyHeaders,
    responses: { 200: { description: 'The firing, with the id of its job.', schema: firingView } },
    async handle({ params, identity, headers }) {
      const idempotency = idempotencyOf(headers, { trigger: params.name });
      return json(await core.triggerSchedule(identity, params.name, idempotency));
    },
  });
}

/** What only makes sense once is no part of what is submitted again and again. */
const ONCE = ['parent', 'detach', 'dependsOn', 'notBefore'] as const;

/** The spec is checked as that of any job, and its fields are told below `spec`. */
function checkWithSpec<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const { spec, ...rest } = (typeof value === 'object' ? value : {}) as { readonly spec?: unknown };
  if (spec === undefined) return checkInput(schema, value);
  const checked = checkSpec(spec);
  return checkInput(schema, { ...rest, spec: checked });
}

function checkSpec(value: unknown): JobSpec {
  try {
    const spec = checkJobSpec(value);
    const once = ONCE.find((field) => spec[field] !== undefined);
    if (once === undefined) return spec;
    throw new Rejection('invalidRequest', `${once}: a job that is submitted again and again has none`, { field: once });
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    const { field } = error.details;
    if (field === undefined) throw new Rejection(error.code, `spec: ${error.message}`, { field: 'spec' });
    const message = error.message.replace(field, `spec.${field}`);
    throw new Rejection(error.code, message, { ...error.details, field: `spec.${field}` });
  }
}

function changeOf({
  cron,
  timeZone,
  spec,
  overlap,
  catchUp,
  paused,
}: z.output<typeof setBody>): Partial<ScheduleSettings> {
  return {
    ...(cron === undefined ? {} : { cron }),
    ...(timeZone === undefined ? {} : { timeZone }),
    ...(spec === undefined ? {} : { spec }),
    ...(overlap === undefined ? {} : { overlap }),
    ...(catchUp === undefined ? {} : { catchUpMs: catchUp }),
    ...(paused === undefined ? {} : { mode: paused ? 'paused' : 'active' }),
  };
}
