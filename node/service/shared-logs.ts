import type { LogEvent } from '../../src/api/views.ts';
import type { JobId, NodeId } from '../../src/ids.ts';
import type { LogOffsets, LogPiece } from '../runner/ports.ts';
import { FairTurns } from './fair-turns.ts';
import { SharedLog } from './shared-log.ts';
import { Slots } from './slots.ts';
import { StepCache } from './step-cache.ts';

/** What one attempt wrote, as one kind of reader reads it. */
export interface LogName {
  readonly runner: NodeId;
  readonly job: JobId;
  readonly attempt: number;
  readonly stream: 'stdout' | 'stderr' | 'both';
  readonly follow: boolean;
}

/** Reads from the machine that has the log: the whole when it gives less than `maxBytes`, else a part of it. */
export type OpenLog = (
  log: LogName,
  range: { readonly from: LogOffsets; readonly maxBytes: number },
  signal: AbortSignal,
) => AsyncIterable<LogPiece>;

export const SHARED_LOG_LIMITS = {
  /** What one run reads; the next one begins when a reader gets there. */
  runBytes: 1024 * 1024,
  /** Runs at work at this node, those that wait for a job to write not counted. */
  busyRuns: 8,
  runIdleMs: 250,
  /** Pieces kept for readers that come behind, of all logs together. */
  cacheBytes: 32 * 1024 * 1024,
  /** Pieces handed to readers in one turn of the event loop, each up to 64 KiB: writing them takes a few ms. */
  piecesPerTurn: 8,
} as const;

export type SharedLogLimits = { readonly [Name in keyof typeof SHARED_LOG_LIMITS]: number };

/**
 * The logs that are read at this node. However many read one, it is fetched and kept once: each goes from piece to
 * piece at its own pace, and a piece that another got already is there, or is read anew when that was long ago. A
 * reader that does not go on holds nothing but its place.
 */
export class SharedLogs {
  readonly #open: OpenLog;
  readonly #limits: SharedLogLimits;
  readonly #logs = new Map<string, SharedLog>();
  readonly #turns: FairTurns;
  readonly #slots: Slots;
  readonly #cache: StepCache;

  constructor(dependencies: { readonly open: OpenLog }, limits: SharedLogLimits = SHARED_LOG_LIMITS) {
    this.#open = dependencies.open;
    this.#limits = limits;
    this.#turns = new FairTurns({ perTurn: limits.piecesPerTurn });
    this.#slots = new Slots({ max: limits.busyRuns, idleMs: limits.runIdleMs });
    this.#cache = new StepCache({ maxBytes: limits.cacheBytes });
  }

  get cachedBytes(): number {
    return this.#cache.bytes;
  }

  /** Ends early at the abort. All who read at the same place get the same error. */
  async *read(name: LogName, from: LogOffsets, signal: AbortSignal): AsyncGenerator<LogEvent, void> {
    const key = `${name.runner}/${name.job}/${name.attempt}/${name.stream}/${name.follow}`;
    const log = this.#enter(key, name);
    try {
      let at = { ...from, emptied: 0 };
      for (;;) {
        const step = await log.stepAt(at, signal);
        if (step.kind !== 'piece') return;
        await this.#turns.take();
        yield step.piece;
        at = step.next;
      }
    } finally {
      if (log.leave() === 'empty') this.#logs.delete(key);
    }
  }

  #enter(key: string, name: LogName): SharedLog {
    let log = this.#logs.get(key);
    if (log === undefined) {
      const { runBytes } = this.#limits;
      const open = (from: LogOffsets, signal: AbortSignal) => this.#open(name, { from, maxBytes: runBytes }, signal);
      log = new SharedLog({ open, slots: this.#slots, cache: this.#cache }, { runBytes });
      this.#logs.set(key, log);
    }
    log.enter();
    return log;
  }
}
