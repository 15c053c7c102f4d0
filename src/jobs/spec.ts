import { z } from 'zod';
import { Rejection } from '../errors.ts';
import { isGroupId, isJobId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { parseConstraint } from '../resources/constraint.ts';
import { formatDuration, parseDuration, parseSize } from '../units.ts';

/**
 * The job spec of the API, as clients write it. Checked once at the edge; behind it the type is trusted and the numbers
 * come from `planOf`. Fields of the contract that no part serves yet are refused as `notSupported`, never ignored.
 */

/** Text of a grammar of its own, checked by the function that reads it: what that says is told. */
function readBy<Value>(read: (text: string) => Value, fault: (value: Value) => string | null = () => null) {
  return z.string().superRefine((written, context) => {
    try {
      const message = fault(read(written));
      if (message !== null) context.addIssue({ code: 'custom', message });
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  });
}

function duration(minMs: number, maxMs: number) {
  const message = `must be from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  return readBy(parseDuration, (ms) => (ms < minMs || ms > maxMs ? message : null));
}

/** What goes to the system as bytes: half a surrogate pair has none, and would become another character on the way. */
const wellFormed = z.string().refine((value) => value.isWellFormed(), 'must not contain half a surrogate pair');
export const text = wellFormed.refine((value) => !value.includes('\0'), 'must not contain NUL');
const utf8 = new TextEncoder();
const isWorkdirShort = (path: string) =>
  path.split('/').every((part) => utf8.encode(part).length <= LIMITS.workdirPartBytes) &&
  utf8.encode(path).length <= LIMITS.workdirBytes;
const name = text.min(1).max(LIMITS.nameLength);
/** Names that become part of keys and labels. */
export const identifier = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/, 'must be a name of letters, digits and ._/-');
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

export const jobReference = z.string().refine(isJobId, 'must be the id of a job: a UUID in lower case');
const groupReference = z.string().refine(isGroupId, 'must be the id of a group: a UUID in lower case');

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
  workdir: text
    .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'must be a relative path without ..')
    .refine(
      isWorkdirShort,
      `must have at most ${LIMITS.workdirBytes} bytes, and ${LIMITS.workdirPartBytes} between slashes`,
    )
    .optional(),
  stdin: wellFormed.optional(),
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
export const LATER_FIELDS = ['secrets', 'inputs', 'outputs', 'image'] as const;
