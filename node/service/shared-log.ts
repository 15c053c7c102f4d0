import type { LogOffsets, LogPiece } from '../runner/ports.ts';
import type { Slots } from './slots.ts';
import type { LogPlace, LogStep, StepCache, Steps } from './step-cache.ts';

export interface SharedLogDependencies {
  readonly open: (from: LogOffsets, signal: AbortSignal) => AsyncIterable<LogPiece>;
  readonly slots: Slots;
  readonly cache: StepCache;
}

type Gone = { readonly kind: 'gone' };

interface Waiter {
  resolve(step: LogStep | Gone): void;
  reject(error: unknown): void;
}

const GONE: Gone = { kind: 'gone' };

/** One log for all who read it at this node. What they wait for is fetched in runs, of which each place has one. */
export class SharedLog {
  readonly #parts: SharedLogDependencies;
  readonly #runBytes: number;
  readonly #steps: Steps = new Map();
  /** By the place whose step comes next. */
  readonly #runs = new Set<string>();
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #abandoned = new AbortController();
  #readers = 0;

  constructor(dependencies: SharedLogDependencies, options: { readonly runBytes: number }) {
    this.#parts = dependencies;
    this.#runBytes = options.runBytes;
  }

  enter(): void {
    this.#readers += 1;
  }

  /** @returns `empty` when this must not be used again */
  leave(): 'read' | 'empty' {
    this.#readers -= 1;
    if (this.#readers > 0) return 'read';
    this.#abandoned.abort(new Error('nobody reads this log any more'));
    this.#parts.cache.drop(this.#steps);
    return 'empty';
  }

  /** Waits until it is known; `gone` at the abort. @throws what the run failed with */
  async stepAt(place: LogPlace, signal: AbortSignal): Promise<LogStep | Gone> {
    if (signal.aborted) return GONE;
    const key = keyOf(place);
    const known = this.#steps.get(key);
    if (known !== undefined) return known.step;
    const { promise, resolve, reject } = Promise.withResolvers<LogStep | Gone>();
    const waiter: Waiter = { resolve, reject };
    const waiters = this.#waiters.get(key) ?? new Set();
    this.#waiters.set(key, waiters.add(waiter));
    const leave = (): void => resolve(GONE);
    signal.addEventListener('abort', leave);
    if (!this.#runs.has(key)) void this.#run(place);
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', leave);
      waiters.delete(waiter);
      if (waiters.size === 0 && this.#waiters.get(key) === waiters) this.#waiters.delete(key);
    }
  }

  async #run(start: LogPlace): Promise<void> {
    const { open, slots } = this.#parts;
    const { signal } = this.#abandoned;
    let place = start;
    let bytes = 0;
    this.#runs.add(keyOf(place));
    try {
      const slot = await slots.take(signal);
      try {
        for await (const piece of open(place, signal)) {
          slot.touch();
          bytes += piece.data.length;
          const next = behind(place, piece);
          this.#runs.delete(keyOf(place));
          this.#tell(place, { kind: 'piece', piece, next });
          place = next;
          // Another run goes on from there, or has been there.
          if (this.#runs.has(keyOf(place)) || this.#steps.has(keyOf(place))) return;
          this.#runs.add(keyOf(place));
          if (bytes >= this.#runBytes) break;
        }
      } finally {
        slot.release();
      }
      this.#runs.delete(keyOf(place));
      if (signal.aborted) return;
      if (bytes < this.#runBytes) this.#tell(place, { kind: 'end' });
      else if (this.#waiters.has(keyOf(place))) void this.#run(place);
    } catch (error) {
      this.#runs.delete(keyOf(place));
      for (const { reject } of this.#takeWaiters(place)) reject(error);
    }
  }

  #tell(place: LogPlace, step: LogStep): void {
    this.#parts.cache.add(this.#steps, keyOf(place), step);
    for (const { resolve } of this.#takeWaiters(place)) resolve(step);
  }

  #takeWaiters(place: LogPlace): Iterable<Waiter> {
    const waiters = this.#waiters.get(keyOf(place)) ?? new Set();
    this.#waiters.delete(keyOf(place));
    return waiters;
  }
}

function keyOf({ stdout, stderr, emptied }: LogPlace): string {
  return `${stdout}/${stderr}/${emptied}`;
}

function behind(place: LogPlace, { stream, data, offset }: LogPiece): LogPlace {
  const emptied = place.emptied + (offset === place[stream] ? 0 : 1);
  return { ...place, [stream]: offset + data.length, emptied };
}
