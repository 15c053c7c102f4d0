import { assert } from './assert.ts';
import type { Index, NodeId, RequestId } from './types.ts';

/** Reads that wait at one node; more are refused. */
export const MAX_PENDING_READS = 4096;

export type Reader =
  | { readonly kind: 'local'; readonly id: RequestId }
  | { readonly kind: 'remote'; readonly from: NodeId; readonly id: RequestId; readonly session: string };

export interface ConfirmedRead {
  readonly reader: Reader;
  readonly index: Index;
}

interface Round {
  readonly number: number;
  readonly reads: readonly ConfirmedRead[];
}

/**
 * Reads at a leader (dissertation §6.4). A read notes the commit index and may be served at it once a quorum has
 * answered a heartbeat that was sent afterwards. Reads that come while a round is under way share the next one.
 */
export class ReadQueue {
  /** Came before the leader committed in its term: it does not know yet what is committed. */
  #early: Reader[] = [];
  #waiting: ConfirmedRead[] = [];
  #rounds: Round[] = [];
  #newestRound = 0;
  #count = 0;

  get newestRound(): number {
    return this.#newestRound;
  }

  get count(): number {
    return this.#count;
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  get roundUnderWay(): boolean {
    return this.#rounds.length > 0;
  }

  /** `commitIndex` is null while the leader has not committed in its term. */
  add(reader: Reader, commitIndex: Index | null): 'queued' | 'full' {
    if (this.#count >= MAX_PENDING_READS) return 'full';
    this.#count += 1;
    if (commitIndex === null) this.#early.push(reader);
    else this.#waiting.push({ reader, index: commitIndex });
    return 'queued';
  }

  /** The leader has committed in its term. */
  open(commitIndex: Index): void {
    for (const reader of this.#early) this.#waiting.push({ reader, index: commitIndex });
    this.#early = [];
  }

  /** Everything that waits becomes a new round, to be carried by the next heartbeats. */
  beginRound(): void {
    assert(this.#waiting.length > 0, 'a round has reads');
    this.#newestRound += 1;
    this.#rounds.push({ number: this.#newestRound, reads: this.#waiting });
    this.#waiting = [];
  }

  /** A quorum has answered this round, and with it every older one. */
  confirm(round: number): readonly ConfirmedRead[] {
    const confirmed: ConfirmedRead[] = [];
    while (this.#rounds[0] !== undefined && this.#rounds[0].number <= round) {
      confirmed.push(...(this.#rounds.shift()?.reads ?? []));
    }
    this.#count -= confirmed.length;
    return confirmed;
  }

  /** Leadership is over: all that are left, to be refused. */
  drain(): readonly Reader[] {
    const readers = [...this.#rounds.flatMap((round) => round.reads), ...this.#waiting].map((read) => read.reader);
    readers.push(...this.#early);
    this.#early = [];
    this.#waiting = [];
    this.#rounds = [];
    this.#count = 0;
    return readers;
  }
}

/** Reads that this node passed on to its leader and that are not answered yet. */
export class ForwardedReads {
  /** By id, in the order of asking; the value is the tick at which it was asked. */
  #asked = new Map<RequestId, number>();

  get count(): number {
    return this.#asked.size;
  }

  add(id: RequestId, tick: number): 'asked' | 'full' {
    if (this.#asked.size >= MAX_PENDING_READS) return 'full';
    this.#asked.set(id, tick);
    return 'asked';
  }

  /** False: it was answered before, by a refusal most likely. */
  take(id: RequestId): boolean {
    return this.#asked.delete(id);
  }

  askedBefore(tick: number): RequestId[] {
    const late: RequestId[] = [];
    for (const [id, asked] of this.#asked) {
      if (asked >= tick) break;
      late.push(id);
    }
    for (const id of late) this.#asked.delete(id);
    return late;
  }

  drain(): RequestId[] {
    return this.askedBefore(Number.POSITIVE_INFINITY);
  }
}
