import type { z } from 'zod';
import { Rejection } from '../errors.ts';
import { type BatchLineSpec, batchLineSchema } from './batch-line.ts';
import { expectWaitsForInputs } from './files.ts';
import { jobSpecSchema, LATER_FIELDS, type JobSpec } from './spec.ts';

const LATER: ReadonlySet<string> = new Set(LATER_FIELDS);

/**
 * Checks what a client sent as a job spec. Only the first fault is told.
 * @throws Rejection `invalidRequest`, `unknownField`, or `notSupported` for a field of the contract that no part serves
 * yet; each with the path of the field
 */
export function checkJobSpec(input: unknown): JobSpec {
  const spec = checkSpec(jobSpecSchema, input);
  expectWaitsForInputs(spec);
  return spec;
}

/** The same for a line of a batch, which may have a name and name earlier ones. */
export function checkBatchLine(input: unknown): BatchLineSpec {
  return checkSpec(batchLineSchema, input);
}

function checkSpec<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  refuseProto(input);
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const [first] = result.error.issues;
  if (first === undefined) throw new Rejection('invalidRequest', 'the job spec is not valid');
  refuseNames(result.error.issues);
  const issue = withinUnion(first);
  if (issue.code === 'unrecognized_keys') throw unknownField([...issue.path, issue.keys[0] ?? '']);
  const field = pathOf(issue.path);
  if (issue.code === 'invalid_key') {
    throw new Rejection('invalidRequest', `${field}: the key ${issue.issues[0]?.message ?? 'is not valid'}`, { field });
  }
  if (field === '') throw new Rejection('invalidRequest', `the job spec: ${issue.message}`);
  throw new Rejection('invalidRequest', `${field}: ${issue.message}`, { field });
}

/** A spec that comes alone names no lines: that says more than that a job's id is missing. */
function refuseNames(issues: readonly z.core.$ZodIssue[]): void {
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys' || !issue.keys.includes('ref')) continue;
    const field = pathOf([...issue.path, 'ref']);
    throw new Rejection('unknownField', `${field}: only lines of a batch have names; say the id of a job`, { field });
  }
}

/** What is wrong inside the form that was meant says more than that no form fits. */
function withinUnion(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue;
  const inside = issue.errors.flat().find(({ code, path }) => path.length > 0 || code === 'unrecognized_keys');
  return inside === undefined ? issue : withinUnion({ ...inside, path: [...issue.path, ...inside.path] });
}

function unknownField(path: readonly PropertyKey[]): Rejection {
  const field = pathOf(path);
  if (LATER.has(field)) return new Rejection('notSupported', `${field} is not supported yet`, { field });
  return new Rejection('unknownField', `there is no field ${field}`, { field });
}

/** JSON.parse makes `__proto__` a field like any other, and the schema would drop it without a word. */
function refuseProto(input: unknown, path: readonly string[] = []): void {
  if (typeof input !== 'object' || input === null) return;
  if (Object.hasOwn(input, '__proto__')) throw unknownField([...path, '__proto__']);
  if (path.length > 0) return;
  const { env, labels, resources } = input as Readonly<Record<string, unknown>>;
  refuseProto(env, ['env']);
  refuseProto(labels, ['labels']);
  refuseProto(resources, ['resources']);
  if (typeof resources === 'object' && resources !== null && 'custom' in resources) {
    refuseProto(resources.custom, ['resources', 'custom']);
  }
}

/** As `resources.memory` or `command[0]`. */
function pathOf(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? String(part) : `.${String(part)}`;
  }
  return text;
}
