import { orderKey, type Ordered } from './lane.ts';
import { SortedRun } from './sorted-run.ts';

/** Lets so many jobs through at a time; the others wait in the order of the queue. */
export class Gate<Job extends Ordered> {
  readonly capacity: number;
  /** Let through and not final: queued, or with a live attempt. */
  inside = 0;
  readonly #waiting = new SortedRun<Job>();

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get hasRoom(): boolean {
    return this.inside < this.capacity;
  }

  get isIdle(): boolean {
    return this.inside === 0 && this.#waiting.size === 0;
  }

  wait(job: Job): void {
    this.#waiting.insert(orderKey(job), job);
  }

  giveUp(job: Job): boolean {
    return this.#waiting.delete(orderKey(job));
  }

  /** Whose turn it is, if there is room. */
  next(): Job | null {
    return this.hasRoom ? (this.#waiting.first() ?? null) : null;
  }

  /** How many wait before this one. */
  ahead(job: Job): number {
    return this.#waiting.rank(orderKey(job));
  }
}
