import { z } from 'zod';
import { parseName } from '../cas/digest.ts';
import { Rejection } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { jobReference, readBy, text } from './fields.ts';
import { pathPattern } from './path-pattern.ts';

/** The files of a job: what its folder holds when it starts, and what is kept of it when it has ended. */

const utf8 = new TextEncoder();
const isInside = (path: string): boolean => !path.startsWith('/') && !path.split('/').includes('..');

/** Below the job's work folder; checked against leaving it where it is used, too: the log may hold what no edge saw. */
export const relativePath = text
  .min(1)
  .refine(isInside, 'must be a relative path without ..')
  .refine(
    (path) => path.split('/').every((part) => utf8.encode(part).length <= LIMITS.workdirPartBytes),
    `must have at most ${LIMITS.workdirPartBytes} bytes between slashes`,
  )
  .refine((path) => utf8.encode(path).length <= LIMITS.workdirBytes, `must have at most ${LIMITS.workdirBytes} bytes`);

/** @throws Rejection `invalidRequest` for a path that leads out of the folder that it is in */
export function expectInside(path: string): void {
  if (!isInside(path)) throw new Rejection('invalidRequest', `the path ${path} leaves the job's folder`);
}

export const inputsSchema = z.strictObject({
  /** The name of a tree's root, as `sha256:…`. */
  rootDigest: readBy(parseName).optional(),
  /** What jobs left that it depends on, each below `at`, or at the root. */
  outputsOf: z
    .array(z.strictObject({ job: jobReference, at: relativePath.optional() }))
    .max(LIMITS.dependencies)
    .optional(),
});

/** Paths or patterns of what is kept of the work folder; what lies in `QUORATE_OUTPUTS` is kept anyway. */
export const outputsSchema = z
  .array(
    relativePath.refine(
      (pattern) => pathPattern(pattern) !== null,
      `the braces of a pattern stand for at most ${LIMITS.patternAlternatives}`,
    ),
  )
  .max(LIMITS.outputPatterns);

interface WithFiles {
  readonly inputs?: z.infer<typeof inputsSchema> | undefined;
  readonly dependsOn?: readonly { readonly job: string }[] | undefined;
}

/** @throws Rejection `invalidRequest` when it is to have the outputs of a job that it does not wait for */
export function expectWaitsForInputs({ inputs, dependsOn = [] }: WithFiles): void {
  const waitsFor = new Set(dependsOn.map(({ job }) => job));
  for (const [at, { job }] of (inputs?.outputsOf ?? []).entries()) {
    if (waitsFor.has(job)) continue;
    const field = `inputs.outputsOf[${at}].job`;
    throw new Rejection('invalidRequest', `${field}: name it in dependsOn too: its outputs come when it has ended`, {
      field,
    });
  }
}
