import type { Problem } from '../../src/api/views.ts';
import { assert, Rejection } from '../../src/errors.ts';
import type { JobId } from '../../src/ids.ts';
import type { BatchLineSpec } from '../../src/jobs/batch-line.ts';
import type { BatchKey } from '../../src/state/commands.ts';
import type { SubmitItem, SubmitResult } from '../core.ts';
import type { LineNames, NamedLine } from './line-names.ts';
import { problem } from './problem.ts';

export type LineOutcome =
  { readonly kind: 'taken'; readonly id: JobId } | { readonly kind: 'refused'; readonly error: Problem };

/** A line that was read. One without a spec is refused from the start. */
export interface ChunkLine {
  readonly spec: BatchLineSpec | null;
  readonly id: JobId;
  readonly batch?: BatchKey;
  readonly name: NamedLine | null;
  outcome: LineOutcome | null;
}

export interface ChunkDependencies {
  readonly names: LineNames;
  readonly submit: (items: readonly SubmitItem[]) => Promise<readonly SubmitResult[]>;
  /** What is told of an error of `submit`. */
  readonly problemOf: (error: unknown) => Problem;
}

export function settleLine(line: ChunkLine, outcome: LineOutcome): void {
  line.outcome = outcome;
  if (line.name === null) return;
  if (outcome.kind === 'taken') {
    line.name.state = 'taken';
    line.name.id = outcome.id;
  } else {
    line.name.state = 'refused';
    line.name.refusedAs = outcome.error.code;
  }
}

/**
 * Submits what a chunk holds, together with chunks that are under way: a line that depends on one above it mostly finds
 * that job there, since proposals are taken in order. One that does not is submitted again once it is known what
 * became of that line, with the id that it then has. Never rejects: each line gets an outcome.
 *
 * @param above settles when all lines above this chunk have their outcomes
 */
export async function submitChunk(
  lines: readonly ChunkLine[],
  above: Promise<unknown>,
  dependencies: ChunkDependencies,
): Promise<void> {
  let open = await submitOnce(lines, dependencies);
  if (open.length === 0) return;
  await above;
  // Of two that depend on each other's answers the first is decided in each round, so this ends.
  for (let before = Infinity; open.length > 0 && open.length < before;) {
    before = open.length;
    open = await submitOnce(
      open.map(({ line }) => line),
      dependencies,
    );
  }
  for (const { line, refusal } of open) {
    if (specOf(line, dependencies) !== null) settleLine(line, { kind: 'refused', error: problemOfResult(refusal) });
  }
}

type Refusal = Extract<SubmitResult, { ok: false }>;

/** A line whose job may have to wait for what is not there yet. */
interface OpenLine {
  readonly line: ChunkLine;
  readonly refusal: Refusal;
}

async function submitOnce(lines: readonly ChunkLine[], dependencies: ChunkDependencies): Promise<readonly OpenLine[]> {
  const items: SubmitItem[] = [];
  const submitted: ChunkLine[] = [];
  for (const line of lines) {
    const spec = specOf(line, dependencies);
    if (spec === null) continue;
    const { id, batch } = line;
    items.push({ id, spec, idempotency: null, ...(batch === undefined ? {} : { batch }) });
    submitted.push(line);
  }
  if (items.length === 0) return [];
  try {
    const results = await dependencies.submit(items);
    assert(results.length === items.length, 'the core answers every item of a chunk');
    return submitted.flatMap((line, i) => settleByResult(line, results[i] as SubmitResult));
  } catch (error) {
    const told = dependencies.problemOf(error);
    for (const line of submitted) settleLine(line, { kind: 'refused', error: told });
    return [];
  }
}

/** The job's spec; null for a line that is refused, or that depends on one that is. */
function specOf(line: ChunkLine, { names }: ChunkDependencies) {
  if (line.spec === null || line.outcome !== null) return null;
  try {
    return names.specOf(line.spec);
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    settleLine(line, { kind: 'refused', error: problem(error.code, error.message, error.details) });
    return null;
  }
}

function settleByResult(line: ChunkLine, result: SubmitResult): readonly OpenLine[] {
  if (result.ok) {
    settleLine(line, { kind: 'taken', id: result.id });
    return [];
  }
  const mayCome = result.code === 'unknownDependency' && line.spec?.dependsOn?.some(({ ref }) => ref !== undefined);
  if (mayCome === true) return [{ line, refusal: result }];
  settleLine(line, { kind: 'refused', error: problemOfResult(result) });
  return [];
}

function problemOfResult({ code, message, field }: Refusal): Problem {
  return problem(code, message, field === undefined ? {} : { field });
}
