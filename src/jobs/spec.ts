import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import { parseConstraint } from '../resources/constraint.ts';
import { parseDuration, parseSize } from '../units.ts';

/**
 * The job spec of the API, as clients write it. Checked once at the edge; behind it the type is trusted and the numbers
 * come from `planOf`. Fields of the contract that no part serves yet are refused as `notSupported`, never ignored.
 */

function parses(parse: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      parse(text);
      return true;
    } catch {
      return false;
    }
  };
}

const text = z.string().refine((value) => !value.includes('\0'), 'must not contain NUL');
const name = text.min(1).max(LIMITS.nameLength);
/** Names that become part of keys and labels. */
const identifier = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/, 'must be a name of letters, digits and ._/-');
const duration = z.string().refine(parses(parseDuration), 'must be a duration such as "90s", "10m" or "1h"');
const size = z.union([
  z.int().nonnegative(),
  z.string().refine(parses(parseSize), 'must be bytes or a size such as "512MiB"'),
]);

export const resourcesSchema = z.strictObject({
  cpu: z.number().nonnegative().max(100_000).optional(),
  memory: size.optional(),
  gpu: z.int().nonnegative().max(100_000).optional(),
  disk: size.optional(),
  custom: z.record(identifier, z.number().nonnegative()).optional(),
});

const backoffSchema = z.strictObject({
  initial: duration.optional(),
  factor: z.number().min(1).max(100).optional(),
  max: duration.optional(),
});

const retrySchema = z.union([
  z.literal('never'),
  z.strictObject({
    max: z.int().min(0).max(LIMITS.retryMax).optional(),
    on: z.array(z.enum(['failed', 'timedOut'])).optional(),
    exitCodes: z.array(z.int().min(0).max(255)).max(256).optional(),
    backoff: backoffSchema.optional(),
    lostMax: z.int().min(0).max(LIMITS.retryMax).optional(),
  }),
]);

export const jobSpecSchema = z.strictObject({
  command: z.array(text).min(1).max(LIMITS.commandArguments),
  name: name.optional(),
  project: identifier.optional(),
  queue: identifier.optional(),
  labels: z
    .record(identifier, z.string().max(LIMITS.nameLength))
    .refine((labels) => Object.keys(labels).length <= LIMITS.labels, `at most ${LIMITS.labels} labels`)
    .optional(),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable'), text)
    .refine((env) => Object.keys(env).length <= LIMITS.envVariables, `at most ${LIMITS.envVariables} variables`)
    .optional(),
  /** Relative to the job's work folder; checked against leaving it by the runner too. */
  workdir: text
    .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'must be a relative path without ..')
    .optional(),
  stdin: z.string().optional(),
  resources: resourcesSchema.optional(),
  constraints: z
    .array(z.string().refine(parses(parseConstraint), 'must be a constraint such as "os == linux"'))
    .max(LIMITS.constraints)
    .optional(),
  priority: z.int().min(0).max(LIMITS.priorityMax).optional(),
  timeout: duration.optional(),
  queueTimeout: duration.optional(),
  notBefore: z.iso.datetime({ offset: true }).optional(),
  retry: retrySchema.optional(),
});

export type JobSpec = z.infer<typeof jobSpecSchema>;

/** Fields of the contract that are refused as `notSupported` until their part is built. */
export const LATER_FIELDS = [
  'secrets',
  'inputs',
  'outputs',
  'image',
  'idleTimeout',
  'dependsOn',
  'group',
  'parent',
  'resourceGroup',
  'retention',
] as const;
