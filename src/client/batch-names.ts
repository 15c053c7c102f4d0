import type { BatchLine, Problem } from '../api/views.ts';

/** What a node is to get of a line, or what is wrong with it already. */
export type PreparedLine =
  | { readonly kind: 'send'; readonly text: string; /** Its name. */ readonly ref: string | null }
  | { readonly kind: 'refused'; readonly error: Problem };

type Known = { readonly id: string } | { readonly refusedAs: string };

/**
 * Names of lines in a batch that takes several requests: a node knows those of one request alone. What an earlier
 * request answered is said by its id, and what depends on a line that was not taken is not sent.
 */
export class BatchNames {
  readonly #known = new Map<string, Known>();

  prepare(text: string): PreparedLine {
    // The node tells what is wrong with a line that is no JSON.
    const line = text.includes('"ref"') ? parse(text) : null;
    if (line === null) return { kind: 'send', text, ref: null };
    const ref = typeof line.ref === 'string' ? line.ref : null;
    if (ref !== null && this.#known.has(ref)) {
      const detail = `ref: an earlier line of the batch has the ref ${JSON.stringify(ref)}`;
      return { kind: 'refused', error: refusal('conflict', 409, 'ref', detail) };
    }
    const error = this.#replaceNames(line);
    if (error === null) return { kind: 'send', text: JSON.stringify(line), ref };
    if (ref !== null) this.#known.set(ref, { refusedAs: error.code });
    return { kind: 'refused', error };
  }

  /** A line whose answer was lost, for a node that knows no line before it. */
  prepareAgain(line: PreparedLine): PreparedLine {
    const fields = line.kind === 'send' && line.text.includes('"ref"') ? parse(line.text) : null;
    if (line.kind === 'refused' || fields === null) return line;
    const error = this.#replaceNames(fields);
    if (error === null) return { ...line, text: JSON.stringify(fields) };
    if (line.ref !== null) this.#known.set(line.ref, { refusedAs: error.code });
    return { kind: 'refused', error };
  }

  /** @param answer to a line that was sent */
  note(ref: string, answer: BatchLine): void {
    this.#known.set(ref, 'id' in answer ? { id: answer.id } : { refusedAs: answer.error.code });
  }

  /** Names of the same request stay: the node knows them. */
  #replaceNames(line: Fields): Problem | null {
    if (!Array.isArray(line.dependsOn)) return null;
    for (const [at, dependency] of (line.dependsOn as readonly unknown[]).entries()) {
      if (!isObject(dependency) || typeof dependency.ref !== 'string') continue;
      const known = this.#known.get(dependency.ref);
      if (known !== undefined && 'refusedAs' in known) return dependencyRefused(dependency.ref, at, known.refusedAs);
      line.dependsOn[at] = this.#withId(dependency);
    }
    const { inputs } = line;
    if (isObject(inputs) && Array.isArray(inputs.outputsOf)) inputs.outputsOf = inputs.outputsOf.map(this.#withId);
    return null;
  }

  readonly #withId = (named: unknown): unknown => {
    if (!isObject(named) || typeof named.ref !== 'string') return named;
    const known = this.#known.get(named.ref);
    if (known === undefined || !('id' in known)) return named;
    const { ref: _, ...rest } = named;
    return { job: known.id, ...rest };
  };
}

function dependencyRefused(ref: string, at: number, code: string): Problem {
  const field = `dependsOn[${at}].ref`;
  const what = `${field}: the line with the ref ${JSON.stringify(ref)} was not taken (${code})`;
  return refusal('dependencyRefused', 422, field, `${what}, so what depends on it is not either; submit both again`);
}

function refusal(code: string, status: number, field: string, detail: string): Problem {
  return { type: 'about:blank', title: 'Refused', status, code, detail, field };
}

/** What is looked at of a line, of its inputs, and of what names another. */
interface Fields {
  ref?: unknown;
  dependsOn?: unknown;
  inputs?: unknown;
  outputsOf?: unknown;
}

function parse(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
