import type { Timestamp } from '../jobs/job.ts';

/** What becomes due: a job's release or expiry, the end of its claim, or the end of a record. */
export interface Due {
  readonly kind: 'job' | 'claim' | 'idempotency' | 'token' | 'joinToken' | 'group' | 'followUp' | 'schedule';
  readonly key: string;
  readonly at: Timestamp;
}

interface Held {
  readonly kind: Due['kind'];
  readonly key: string;
  /** Where it stands in the heap. */
  place: number;
}

/**
 * When things become due; each has one time. In a total order, so that every replica works through them alike. A binary
 * heap in which each thing knows its place: what is changed or taken back leaves nothing behind, and no call takes
 * longer for it. The times stand apart, since a number in an object takes an object of its own.
 */
export class DueTimes {
  readonly #known = new Map<Due['kind'], Map<string, Held>>();
  readonly #heap: Held[] = [];
  readonly #times: Timestamp[] = [];

  get size(): number {
    return this.#heap.length;
  }

  set({ kind, key, at }: Due): void {
    const sameKind = this.#known.get(kind) ?? new Map<string, Held>();
    const known = sameKind.get(key);
    if (known !== undefined) {
      this.#settle(known, at, known.place);
      return;
    }
    const held = { kind, key, place: this.#heap.length };
    sameKind.set(key, held);
    this.#known.set(kind, sameKind);
    this.#heap.push(held);
    this.#times.push(at);
    this.#settle(held, at, held.place);
  }

  delete(kind: Due['kind'], key: string): void {
    const sameKind = this.#known.get(kind);
    const held = sameKind?.get(key);
    if (held === undefined) return;
    sameKind?.delete(key);
    const last = this.#heap.pop();
    const lastAt = this.#times.pop();
    if (last !== undefined && lastAt !== undefined && last !== held) this.#settle(last, lastAt, held.place);
  }

  get(kind: Due['kind'], key: string): Timestamp | null {
    const held = this.#known.get(kind)?.get(key);
    return held === undefined ? null : (this.#times[held.place] ?? null);
  }

  first(): Due | null {
    const [held] = this.#heap;
    const [at] = this.#times;
    return held === undefined || at === undefined ? null : { kind: held.kind, key: held.key, at };
  }

  /** Those that are due by then, in order, so many at most. */
  firstUntil(at: Timestamp, limit: number): readonly Due[] {
    const found: Due[] = [];
    for (let due = this.first(); due !== null && due.at <= at && found.length < limit; due = this.first()) {
      found.push(due);
      this.delete(due.kind, due.key);
    }
    for (const due of found) this.set(due);
    return found;
  }

  /** Puts it at `place`, which is free, or from there where the order wants it. */
  #settle(held: Held, at: Timestamp, place: number): void {
    this.#sink(held, at, this.#rise(held, at, place));
  }

  #rise(held: Held, at: Timestamp, from: number): number {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!this.#comesBefore(held, at, above)) break;
      this.#move(above, place);
      place = above;
    }
    return place;
  }

  #sink(held: Held, at: Timestamp, from: number): void {
    let place = from;
    for (;;) {
      const below = this.#earlierBelow(place);
      if (below === null || this.#comesBefore(held, at, below)) break;
      this.#move(below, place);
      place = below;
    }
    this.#heap[place] = held;
    this.#times[place] = at;
    held.place = place;
  }

  #earlierBelow(place: number): number | null {
    const left = 2 * place + 1;
    const right = left + 1;
    if (left >= this.#heap.length) return null;
    const held = this.#heap[right];
    return held !== undefined && this.#comesBefore(held, this.#times[right] ?? 0, left) ? right : left;
  }

  #move(from: number, to: number): void {
    const held = this.#heap[from] as Held;
    this.#heap[to] = held;
    this.#times[to] = this.#times[from] as Timestamp;
    held.place = to;
  }

  #comesBefore(held: Held, at: Timestamp, place: number): boolean {
    const other = this.#heap[place] as Held;
    return (at - (this.#times[place] as Timestamp) || compareHeld(held, other)) < 0;
  }
}

function compareHeld(a: Held, b: Held): number {
  return compareText(a.kind, b.kind) || compareText(a.key, b.key);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
