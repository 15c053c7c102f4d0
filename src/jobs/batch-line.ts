import { z } from 'zod';
import { Rejection } from '../errors.ts';
import type { JobId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { jobReference, text } from './fields.ts';
import { expectWaitsForInputs, inputsSchema, relativePath } from './files.ts';
import { dependencyEnd, type JobSpec, jobSpecSchema } from './spec.ts';

/** A line is named by its client, for as long as the batch lasts: later ones depend on it before its id is known. */
const lineName = text.min(1).max(LIMITS.batchRefLength);

const named = { job: jobReference.optional(), ref: lineName.optional() };
const namesOne = ({ job, ref }: { readonly job?: string | undefined; readonly ref?: string | undefined }): boolean =>
  (job === undefined) !== (ref === undefined);
const NAMES_ONE = 'must name either a job by its id, or an earlier line of the batch by its ref';

const lineDependencySchema = z.strictObject({ ...named, on: dependencyEnd.optional() }).refine(namesOne, NAMES_ONE);
const lineInputsSchema = inputsSchema.extend({
  outputsOf: z
    .array(z.strictObject({ ...named, at: relativePath.optional() }).refine(namesOne, NAMES_ONE))
    .max(LIMITS.dependencies)
    .optional(),
});

/** One line of a batch: a job spec that may have a name, and may depend on earlier lines by theirs. */
export const batchLineSchema = jobSpecSchema.extend({
  ref: lineName.optional(),
  dependsOn: z.array(lineDependencySchema).max(LIMITS.dependencies).optional(),
  inputs: lineInputsSchema.optional(),
});

export type BatchLineSpec = z.infer<typeof batchLineSchema>;

/** The name of a line whose spec may be wrong: what names it is refused because of it. */
export function nameOfLine(input: unknown): string | null {
  if (typeof input !== 'object' || input === null || !('ref' in input)) return null;
  const checked = lineName.safeParse(input.ref);
  return checked.success ? checked.data : null;
}

/** The names of the lines that it depends on, each with its place. */
export function namesIn({ dependsOn = [] }: BatchLineSpec): readonly { readonly name: string; readonly at: number }[] {
  return dependsOn.flatMap(({ ref }, at) => (ref === undefined ? [] : [{ name: ref, at }]));
}

/**
 * The spec of the job, with ids in the place of names.
 * @throws Rejection `invalidRequest` when it names one job twice, or is to have the outputs of one that it does not
 *   wait for
 */
export function specOfLine(
  { ref: _, dependsOn, inputs, ...rest }: BatchLineSpec,
  idOf: (name: string) => JobId,
): JobSpec {
  const waitsFor = dependsOn?.map(({ job, ref, on }) => ({ job: job ?? idOf(ref as string), on }));
  if (waitsFor !== undefined && new Set(waitsFor.map(({ job }) => job)).size < waitsFor.length) {
    throw new Rejection('invalidRequest', 'dependsOn: names a job twice', { field: 'dependsOn' });
  }
  const waited = new Set(dependsOn?.flatMap(({ ref }) => ref ?? []));
  const spec = {
    ...rest,
    ...(waitsFor && { dependsOn: waitsFor.map(({ job, on }) => ({ job, ...(on === undefined ? {} : { on }) })) }),
    ...(inputs && { inputs: inputsOfLine(inputs, (name) => (waited.has(name) ? idOf(name) : null)) }),
  };
  expectWaitsForInputs(spec);
  return spec;
}

/** @param idOf null for a line that it does not wait for */
function inputsOfLine(
  { rootDigest, outputsOf }: z.infer<typeof lineInputsSchema>,
  idOf: (name: string) => JobId | null,
): NonNullable<JobSpec['inputs']> {
  return {
    ...(rootDigest === undefined ? {} : { rootDigest }),
    ...(outputsOf && {
      // A name that is no id is told by the check that comes behind.
      outputsOf: outputsOf.map(({ job, ref, at }) => ({
        job: job ?? idOf(ref as string) ?? (ref as JobId),
        ...(at === undefined ? {} : { at }),
      })),
    }),
  };
}
