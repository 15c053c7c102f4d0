import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import { parseConstraint } from '../resources/constraint.ts';
import { formatDuration, parseDuration, parseSize } from '../units.ts';
import { groupReference, identifier, jobReference, readBy, text, wellFormed } from './fields.ts';
import { inputsSchema, outputsSchema, relativePath } from './files.ts';

/**
 * The job spec of the API, as clients write it. Checked once at the edge; behind it the type is trusted and the numbers
 * come from `planOf`. Fields of the contract that no part serves yet are refused as `notSupported`, never ignored.
 */

function duration(minMs: number, maxMs: number) {
  const message = `must be from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  return readBy(parseDuration, (ms) => (ms < minMs || ms > maxMs ? message : null));
}

const name = text.min(1).max(LIMITS.nameLength);
const pause = duration(0, LIMITS.timeoutMaxMs);
const timeLimit = duration(1, LIMITS.timeoutMaxMs);
const size = z.union([z.int().nonnegative(), readBy(parseSize)], 'must be bytes or a size such as "512MiB"');

export const resourcesSchema = z.strictObject({
  cpu: z.number().nonnegative().max(100_000).optional(),
  memory: size.optional(),
  gpu: z.int().nonnegative().max(100_000).optional(),
  disk: size.optional(),
  custom: z
    .record(identifier, z.number().nonnegative().max(1_000_000_000))
    .refine((custom) => Object.keys(custom).length <= LIMITS.customResources, `at most ${LIMITS.customResources} kinds`)
    .optional(),
});

const backoffSchema = z.strictObject({
  initial: pause.optional(),
  factor: z.number().min(1).max(100).optional(),
  max: pause.optional(),
});

const retryPolicySchema = z.strictObject({
  max: z.int().min(0).max(LIMITS.retryMax).optional(),
  on: z.array(z.enum(['failed', 'timedOut'])).optional(),
  exitCodes: z.array(z.int().min(0).max(255)).max(256).optional(),
  backoff: backoffSchema.optional(),
  lostMax: z.int().min(0).max(LIMITS.retryMax).optional(),
});

const retrySchema = z.union([z.literal('never'), retryPolicySchema], {
  error: `must be "never" or an object with any of ${Object.keys(retryPolicySchema.shape).join(', ')}`,
});

/** What has to become of a job: `failed` is any end but succeeded. `finished`: any end. */
export const dependencyEnd = z.enum(['succeeded', 'failed', 'finished']);
const dependencySchema = z.strictObject({ job: jobReference, on: dependencyEnd.optional() });

export const labelsSchema = z
  .record(identifier, wellFormed.max(LIMITS.nameLength))
  .refine((labels) => Object.keys(labels).length <= LIMITS.labels, `at most ${LIMITS.labels} labels`);

export const jobSpecSchema = z.strictObject({
  command: z.array(text).min(1).max(LIMITS.commandArguments),
  name: name.optional(),
  project: identifier.optional(),
  queue: identifier.optional(),
  labels: labelsSchema.optional(),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable'), text)
    .refine((env) => Object.keys(env).length <= LIMITS.envVariables, `at most ${LIMITS.envVariables} variables`)
    .optional(),
  /** Relative to the job's work folder; checked against leaving it by the runner too. */
  workdir: relativePath.optional(),
  stdin: wellFormed.optional(),
  inputs: inputsSchema.optional(),
  outputs: outputsSchema.optional(),
  resources: resourcesSchema.optional(),
  constraints: z.array(readBy(parseConstraint)).max(LIMITS.constraints).optional(),
  priority: z.int().min(0).max(LIMITS.priorityMax).optional(),
  timeout: timeLimit.optional(),
  /** How long neither output may grow. */
  idleTimeout: duration(1000, LIMITS.timeoutMaxMs).optional(),
  queueTimeout: timeLimit.optional(),
  notBefore: z.iso.datetime({ offset: true }).optional(),
  dependsOn: z
    .array(dependencySchema)
    .max(LIMITS.dependencies)
    .refine((all) => new Set(all.map(({ job }) => job)).size === all.length, 'names a job twice')
    .optional(),
  group: groupReference.optional(),
  parent: jobReference.optional(),
  /** Stays when its parent is cancelled. */
  detach: z.boolean().optional(),
  /** Of all jobs of a project that name the same, one is queued or runs at a time. */
  resourceGroup: identifier.optional(),
  retry: retrySchema.optional(),
  /** What becomes of a job that no runner of the cluster could ever hold: it is queued, as by default, or refused. */
  infeasible: z.enum(['wait', 'refuse']).optional(),
  /** How long it is kept once it is final. */
  retention: duration(1000, LIMITS.retentionMaxMs).optional(),
});

export type JobSpec = z.infer<typeof jobSpecSchema>;

/** Fields of the contract that are refused as `notSupported` until their part is built. */
export const LATER_FIELDS = ['secrets', 'image'] as const;
