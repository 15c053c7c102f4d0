import { z } from 'zod';
import { Rejection } from '../errors.ts';
import type { JobId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { dependencyEnd, jobReference, type JobSpec, jobSpecSchema, text } from './spec.ts';

/** A line is named by its client, for as long as the batch lasts: later ones depend on it before its id is known. */
const lineName = text.min(1).max(LIMITS.batchRefLength);

const lineDependencySchema = z
  .strictObject({ job: jobReference.optional(), ref: lineName.optional(), on: dependencyEnd.optional() })
  .refine(
    ({ job, ref }) => (job === undefined) !== (ref === undefined),
    'must name either a job by its id, or an earlier line of the batch by its ref',
  );

/** One line of a batch: a job spec that may have a name, and may depend on earlier lines by theirs. */
export const batchLineSchema = jobSpecSchema.extend({
  ref: lineName.optional(),
  dependsOn: z.array(lineDependencySchema).max(LIMITS.dependencies).optional(),
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
 * @throws Rejection `invalidRequest` when it names one job twice
 */
export function specOfLine({ ref: _, dependsOn, ...rest }: BatchLineSpec, idOf: (name: string) => JobId): JobSpec {
  if (dependsOn === undefined) return rest;
  const named = new Set<JobId>();
  const dependencies = dependsOn.map(({ job, ref, on }) => {
    const id = job ?? idOf(ref as string);
    if (named.has(id)) {
      throw new Rejection('invalidRequest', 'dependsOn: names a job twice', { field: 'dependsOn' });
    }
    named.add(id);
    return { job: id, ...(on === undefined ? {} : { on }) };
  });
  return { ...rest, dependsOn: dependencies };
}
