import TinyQueue from 'tinyqueue';
import type { Timestamp } from '../jobs/job.ts';

/** What becomes due: a job's release or expiry, or the end of a record. */
export interface Due {
  readonly kind: 'job' | 'idempotency' | 'token' | 'joinToken' | 'group' | 'followUp';
  readonly key: string;
  readonly at: Timestamp;
}

/** Stale entries that a heap may hold beyond as many as there are live ones. */
const SLACK = 1024;

/** When things become due; each has one time. In a total order, so that every replica works through them alike. */
export class DueTimes {
  readonly #current = new Map<string, Due>();
  /** Holds stale entries too: those that `#current` no longer holds. */
  #heap = new TinyQueue<Due>([], compareDue);

  get size(): number {
    return this.#current.size;
  }

  set(due: Due): void {
    this.#current.set(nameOf(due.kind, due.key), due);
    this.#heap.push(due);
    if (this.#heap.length > 2 * this.#current.size + SLACK) {
      this.#heap = new TinyQueue([...this.#current.values()], compareDue);
    }
  }

  delete(kind: Due['kind'], key: string): void {
    this.#current.delete(nameOf(kind, key));
  }

  get(kind: Due['kind'], key: string): Timestamp | null {
    return this.#current.get(nameOf(kind, key))?.at ?? null;
  }

  first(): Due | null {
    for (let due = this.#heap.peek(); due !== undefined; due = this.#heap.peek()) {
      if (this.#current.get(nameOf(due.kind, due.key)) === due) return due;
      this.#heap.pop();
    }
    return null;
  }
}

function nameOf(kind: Due['kind'], key: string): string {
  return `${kind} ${key}`;
}

function compareDue(a: Due, b: Due): number {
  return a.at - b.at || compareText(a.kind, b.kind) || compareText(a.key, b.key);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
