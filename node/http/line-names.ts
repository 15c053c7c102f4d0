import { Rejection } from '../../src/errors.ts';
import type { JobId } from '../../src/ids.ts';
import { type BatchLineSpec, namesIn, specOfLine } from '../../src/jobs/batch-line.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import { LIMITS } from '../../src/limits.ts';

/** What became of a line with a name: `open` while nobody has decided, else its job, or the code of its refusal. */
export interface NamedLine {
  state: 'open' | 'taken' | 'refused';
  /** Its job; of a line that was submitted before under the same key, that of then. */
  id: JobId;
  refusedAs: string | null;
}

/** How many names the batches of one node may still hold. */
export class NameBudget {
  #left: number = LIMITS.batchRefs;

  /** @throws Rejection `tooManyRequests` */
  take(): void {
    if (this.#left === 0) {
      throw new Rejection('tooManyRequests', 'ref: this node holds as many names of lines as it can at the moment', {
        field: 'ref',
        limit: { name: 'batchRefs', value: LIMITS.batchRefs },
      });
    }
    this.#left -= 1;
  }

  giveBack(names: number): void {
    this.#left += names;
  }
}

/** The names of one batch's lines, for those that come after them. */
export class LineNames {
  readonly #budget: NameBudget;
  readonly #lines = new Map<string, NamedLine>();

  constructor(budget: NameBudget) {
    this.#budget = budget;
  }

  /** @throws Rejection `conflict` for a name that an earlier line has; `tooManyRequests` */
  add(name: string, id: JobId): NamedLine {
    if (this.#lines.has(name)) {
      throw new Rejection('conflict', `ref: an earlier line of the batch has the ref ${quoted(name)}`, {
        field: 'ref',
      });
    }
    this.#budget.take();
    const line: NamedLine = { state: 'open', id, refusedAs: null };
    this.#lines.set(name, line);
    return line;
  }

  /**
   * Checks that all lines that this one names stand before it, and that none of them is known to be refused.
   * @param own the line itself, where it has a name
   * @throws Rejection `unknownRef`, `dependencyRefused`
   */
  check(line: BatchLineSpec, own: NamedLine | null): void {
    for (const { name, at } of namesIn(line)) {
      const named = this.#lines.get(name);
      if (named === undefined || named === own) throw unknownRef(name, at);
      if (named.state === 'refused') throw dependencyRefused(name, at, named);
    }
  }

  /**
   * The job's spec as far as it is known by now.
   * @throws Rejection `dependencyRefused`; `invalidRequest` when two names are of one job
   */
  specOf(line: BatchLineSpec): JobSpec {
    this.check(line, null);
    return specOfLine(line, (name) => (this.#lines.get(name) as NamedLine).id);
  }

  /** Nothing more is looked up. */
  release(): void {
    this.#budget.giveBack(this.#lines.size);
    this.#lines.clear();
  }
}

function unknownRef(name: string, at: number): Rejection {
  const field = `dependsOn[${at}].ref`;
  const why = 'a line can name only lines above it, so neither itself nor one that depends on it';
  return new Rejection('unknownRef', `${field}: no line above has the ref ${quoted(name)}; ${why}`, { field });
}

function dependencyRefused(name: string, at: number, { refusedAs }: NamedLine): Rejection {
  const field = `dependsOn[${at}].ref`;
  const what = `${field}: the line with the ref ${quoted(name)} was not taken (${refusedAs ?? 'unknown'})`;
  return new Rejection('dependencyRefused', `${what}, so what depends on it is not either; submit both again`, {
    field,
  });
}

function quoted(name: string): string {
  return JSON.stringify(name);
}
