import { assert } from './assert.ts';
import type { Index } from './types.ts';

interface WriteInFlight {
  readonly seq: number;
  /** How far the log will be durable once this write is, or null when it says nothing about that. */
  claim: Index | null;
}

/**
 * Which part of the log and of the hard state the disk holds while writes are under way.
 *
 * A write's claim is tied to the content that it wrote: when entries are truncated, every write still in flight claims
 * only what lies before them, even if the same index gets the same term again later. Without that, the completion of
 * the first of "write, truncate, write again" would pass for the last (the ABA problem).
 */
export class Durability {
  #issued = 0;
  #persisted = 0;
  #inFlight: WriteInFlight[] = [];
  #stableIndex: Index;
  #promiseSeq = 0;

  constructor(stableIndex: Index) {
    this.#stableIndex = stableIndex;
  }

  /** The log up to here is on disk as it is in memory. */
  get stableIndex(): Index {
    return this.#stableIndex;
  }

  get issuedSeq(): number {
    return this.#issued;
  }

  get persistedSeq(): number {
    return this.#persisted;
  }

  /** The current term and vote are on disk. */
  get promiseIsDurable(): boolean {
    return this.#persisted >= this.#promiseSeq;
  }

  /** `claim`: the last index that the write makes durable, null when it has no entries and no snapshot. */
  issue(claim: Index | null, promise: 'newPromise' | 'samePromise'): number {
    this.#issued += 1;
    this.#inFlight.push({ seq: this.#issued, claim });
    if (promise === 'newPromise') this.#promiseSeq = this.#issued;
    return this.#issued;
  }

  truncated(from: Index): void {
    this.#stableIndex = Math.min(this.#stableIndex, from - 1);
    for (const write of this.#inFlight) if (write.claim !== null) write.claim = Math.min(write.claim, from - 1);
  }

  /** A snapshot takes the place of the log: nothing of what is in flight or on disk counts any more. */
  replaced(): void {
    this.#stableIndex = 0;
    for (const write of this.#inFlight) write.claim = null;
  }

  persisted(seq: number): void {
    assert(seq <= this.#issued, 'only a write that was asked for completes');
    this.#persisted = Math.max(this.#persisted, seq);
    let done = 0;
    for (const write of this.#inFlight) {
      if (write.seq > seq) break;
      if (write.claim !== null) this.#stableIndex = Math.max(this.#stableIndex, write.claim);
      done += 1;
    }
    if (done > 0) this.#inFlight.splice(0, done);
  }
}
