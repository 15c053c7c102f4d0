import { assert } from './assert.ts';
import type { Index } from './types.ts';

export type ProgressState = 'probe' | 'replicate' | 'snapshot';

export interface InflightLimits {
  readonly maxInflightAppends: number;
  readonly maxInflightBytes: number;
}

/** No response of the peer can be older than this leadership. */
export const ANY_TICK = -1;

/**
 * What a leader knows of one peer. `probe`: one append at a time until an answer tells where the logs agree.
 * `replicate`: appends are sent ahead of their answers, within limits. `snapshot`: the peer needs more than the log
 * still holds, and nothing is sent until the snapshot has been delivered.
 */
export class Progress {
  #state: ProgressState = 'probe';
  #matchIndex: Index = 0;
  #nextIndex: Index;
  #session: string | null = null;
  /** Another session is believed only if it answers something sent after this tick. */
  #sessionTick: number;
  #probeSent = false;
  #inflight: { readonly lastIndex: Index; readonly bytes: number }[] = [];
  #inflightBytes = 0;

  /** When the peer was last heard of. */
  heardTick: number;
  /** When the newest heartbeat that it answered was sent: its lease counts from there (dissertation §6.4.1). */
  leaseTick = Number.NEGATIVE_INFINITY;
  /** The newest read round that it confirmed. */
  readRound = 0;
  /** The commit index that it was told last. */
  toldCommit: Index = 0;
  #lossCheck: { readonly tick: number; readonly matchIndex: Index; due: boolean } = {
    tick: ANY_TICK,
    matchIndex: 0,
    due: false,
  };

  constructor(nextIndex: Index, tick: number, sessionTick: number) {
    this.#nextIndex = nextIndex;
    this.heardTick = tick;
    this.#sessionTick = sessionTick;
  }

  get state(): ProgressState {
    return this.#state;
  }

  get matchIndex(): Index {
    return this.#matchIndex;
  }

  get nextIndex(): Index {
    return this.#nextIndex;
  }

  get session(): string | null {
    return this.#session;
  }

  get inflight(): number {
    return this.#inflight.length;
  }

  /**
   * A peer's incarnations follow each other, so one that answers what was sent after another was heard of is the
   * newer. With a new one everything known about the peer's log is void.
   */
  meetSession(session: string, sentTick: number, tick: number): 'known' | 'adopted' | 'doubtful' {
    if (this.#session === session) return 'known';
    if (this.#sessionTick !== ANY_TICK && sentTick <= this.#sessionTick) return 'doubtful';
    const first = this.#session === null;
    this.#session = session;
    this.#sessionTick = tick;
    if (!first) this.#matchIndex = 0;
    return 'adopted';
  }

  /** Whether another append may be sent now. */
  canSend(limits: InflightLimits): boolean {
    switch (this.#state) {
      case 'probe':
        return !this.#probeSent;
      case 'replicate':
        return this.#inflight.length < limits.maxInflightAppends && this.#inflightBytes < limits.maxInflightBytes;
      case 'snapshot':
        return false;
    }
  }

  sent(lastIndex: Index, bytes: number): void {
    assert(this.#state !== 'snapshot', 'nothing is appended while a snapshot is under way');
    if (this.#state === 'probe') {
      this.#probeSent = true;
      return;
    }
    if (lastIndex < this.#nextIndex) return;
    this.#nextIndex = lastIndex + 1;
    this.#inflight.push({ lastIndex, bytes });
    this.#inflightBytes += bytes;
  }

  /** The peer holds everything up to `index`, durably. */
  acknowledged(index: Index, firstIndex: Index): void {
    this.#matchIndex = Math.max(this.#matchIndex, index);
    this.#nextIndex = Math.max(this.#nextIndex, this.#matchIndex + 1);
    this.#dropInflight(index);
    if (this.#state === 'replicate') return;
    if (this.#state === 'snapshot' && this.#matchIndex + 1 < firstIndex) return;
    this.#become('replicate', this.#matchIndex + 1);
  }

  /** The peer's log does not hold what came before an append. False: an answer that is out of date. */
  refused(prevLogIndex: Index, agreesAtMost: Index): 'retry' | 'stale' {
    switch (this.#state) {
      case 'replicate':
        if (prevLogIndex <= this.#matchIndex) return 'stale';
        break;
      case 'probe':
        if (prevLogIndex !== this.#nextIndex - 1) return 'stale';
        break;
      case 'snapshot':
        return 'stale';
    }
    this.probeFrom(Math.min(prevLogIndex, agreesAtMost + 1));
    return 'retry';
  }

  /** Where the logs agree is uncertain from `nextIndex` on. */
  probeFrom(nextIndex: Index): void {
    this.#become('probe', Math.max(nextIndex, this.#matchIndex + 1));
  }

  needsSnapshot(): void {
    this.#become('snapshot', this.#nextIndex);
  }

  /** Waits for a sign of life before the next probe. */
  pauseProbe(): void {
    if (this.#state === 'probe') this.#probeSent = true;
  }

  /** A sign of life: a probe may have been lost, and so may everything in flight when no ack came for a while. */
  alive(tick: number, lossCheckTicks: number): void {
    if (this.#state === 'probe') this.#probeSent = false;
    if (tick - this.#lossCheck.tick < lossCheckTicks) return;
    const stuck = this.#inflight.length > 0 && this.#lossCheck.matchIndex === this.#matchIndex;
    this.#lossCheck = { tick, matchIndex: this.#matchIndex, due: stuck };
  }

  /** True once after `alive` found that nothing was acknowledged: an empty append brings the truth out. */
  takeLossCheck(): boolean {
    const { due } = this.#lossCheck;
    this.#lossCheck.due = false;
    return due && this.#state === 'replicate';
  }

  #become(state: ProgressState, nextIndex: Index): void {
    this.#state = state;
    this.#nextIndex = nextIndex;
    this.#probeSent = false;
    this.#inflight = [];
    this.#inflightBytes = 0;
  }

  #dropInflight(upTo: Index): void {
    let done = 0;
    for (const append of this.#inflight) {
      if (append.lastIndex > upTo) break;
      this.#inflightBytes -= append.bytes;
      done += 1;
    }
    if (done > 0) this.#inflight.splice(0, done);
  }
}
