import type { LogOffsets, LogPiece } from '../runner/ports.ts';

/** `emptied` counts how often the job emptied its outputs on the way here: what was at a place before is another's. */
export interface LogPlace extends LogOffsets {
  readonly emptied: number;
}

/** What comes at a place of a log, and the place behind it. */
export type LogStep =
  { readonly kind: 'piece'; readonly piece: LogPiece; readonly next: LogPlace } | { readonly kind: 'end' };

interface Entry {
  readonly step: LogStep;
  readonly bytes: number;
  readonly steps: Steps;
  readonly key: string;
}

/** Of one log. */
export type Steps = Map<string, Entry>;

/** What a step costs beside its bytes. */
const STEP_BYTES = 512;

/** Bounds the steps of all logs together: the oldest go first. */
export class StepCache {
  readonly #maxBytes: number;
  readonly #entries = new Set<Entry>();
  #bytes = 0;

  constructor(options: { readonly maxBytes: number }) {
    this.#maxBytes = options.maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(steps: Steps, key: string, step: LogStep): void {
    if (steps.has(key)) return;
    const bytes = STEP_BYTES + (step.kind === 'piece' ? step.piece.data.length : 0);
    const added: Entry = { step, bytes, steps, key };
    steps.set(key, added);
    this.#entries.add(added);
    this.#bytes += bytes;
    for (const entry of this.#entries) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#remove(entry);
    }
  }

  /** Nobody reads that log any more. */
  drop(steps: Steps): void {
    for (const entry of steps.values()) this.#remove(entry);
  }

  #remove(entry: Entry): void {
    entry.steps.delete(entry.key);
    this.#entries.delete(entry);
    this.#bytes -= entry.bytes;
  }
}
