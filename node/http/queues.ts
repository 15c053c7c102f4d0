import { z } from 'zod';
import type { QueueChange, QueueLimits } from '../../src/jobs/queue-settings.ts';
import { identifier } from '../../src/jobs/fields.ts';
import { resourcesSchema } from '../../src/jobs/spec.ts';
import { LIMITS } from '../../src/limits.ts';
import { fromSpec } from '../../src/resources/resources.ts';
import { parseSize } from '../../src/units.ts';
import type { Core } from '../core.ts';
import { json, route } from './route.ts';
import type { Route } from './route.ts';
import { consistency, pageOf, pageQuery, queueView, readQuery } from './schemas.ts';

const nameParams = z.strictObject({ name: identifier });
const queueAnswer = { 200: { description: 'The queue.', schema: queueView } };

const limitsBody = z
  .strictObject({
    running: z.int().min(0).nullable(),
    cpu: resourcesSchema.shape.cpu.unwrap().nullable(),
    memory: resourcesSchema.shape.memory.unwrap().nullable(),
  })
  .partial();

const queueBody = z.strictObject({
  weight: z.int().min(1).max(LIMITS.queueWeightMax).optional(),
  paused: z.boolean().optional().meta({ description: 'What is queued in it stays so; what runs goes on.' }),
  strategy: z.enum(['spread', 'pack']).optional(),
  preemption: z.enum(['off', 'requeue']).optional().meta({
    description: '`requeue`: its jobs may be stopped, and queued again, to make room for jobs of higher priority.',
  }),
  limits: limitsBody.optional().meta({ description: 'The most of it that runs at once; null: no limit.' }),
  projectLimits: limitsBody.optional().meta({ description: 'The same for each project in it.' }),
});

export function queueRoutes(core: Core): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/queues',
      scope: 'jobs:read',
      summary: 'List the queues that are set, hold a queued job or run one, by name',
      query: z.strictObject({ ...pageQuery, cursor: identifier.optional(), consistency }),
      responses: { 200: { description: 'One page.', schema: pageOf(queueView) } },
      handle: async ({ query: { limit, cursor, consistency: wanted } }) =>
        json(await core.queues({ limit, cursor: cursor ?? null }, wanted)),
    }),
    route({
      method: 'GET',
      path: '/v1/queues/:name',
      scope: 'jobs:read',
      summary: 'Read a queue; one that nobody has set is as by default',
      params: nameParams,
      query: readQuery,
      responses: queueAnswer,
      handle: async ({ params, query }) => json(await core.queue(params.name, query.consistency)),
    }),
    route({
      method: 'PUT',
      path: '/v1/queues/:name',
      scope: 'cluster:write',
      summary: 'Set how the jobs of a queue are scheduled; what is left out stays',
      params: nameParams,
      body: {
        kind: 'json',
        schema: queueBody,
        maxBytes: { name: 'bodyBytes', value: LIMITS.bodyBytes },
        types: 'json',
      },
      responses: queueAnswer,
      handle: async ({ params, body, identity }) => json(await core.setQueue(identity, params.name, changeOf(body))),
    }),
    route({
      method: 'DELETE',
      path: '/v1/queues/:name',
      scope: 'cluster:write',
      summary: 'Let a queue be as by default again; its jobs stay',
      params: nameParams,
      responses: queueAnswer,
      handle: async ({ params, identity }) => json(await core.resetQueue(identity, params.name)),
    }),
  ];
}

function changeOf({
  weight,
  paused,
  strategy,
  preemption,
  limits,
  projectLimits,
}: z.output<typeof queueBody>): QueueChange {
  return {
    ...(weight === undefined ? {} : { weight }),
    ...(paused === undefined ? {} : { state: paused ? 'paused' : 'open' }),
    ...(strategy === undefined ? {} : { strategy }),
    ...(preemption === undefined ? {} : { preemption }),
    ...(limits === undefined ? {} : { limits: limitsOf(limits) }),
    ...(projectLimits === undefined ? {} : { projectLimits: limitsOf(projectLimits) }),
  };
}

function limitsOf({ running, cpu, memory }: z.output<typeof limitsBody>): Partial<QueueLimits> {
  return {
    ...(running === undefined ? {} : { running }),
    ...(cpu === undefined ? {} : { cpuMilli: cpu === null ? null : fromSpec({ cpu }).cpuMilli }),
    ...(memory === undefined ? {} : { memoryBytes: memory === null ? null : parseSize(memory) }),
  };
}
