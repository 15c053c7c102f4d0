import type { Index } from '../../raft/types.ts';
import type { LogStore, StateStore } from '../storage/ports.ts';
import type { Applier } from './applier.ts';
import type { ReplicaLimits } from './limits.ts';
import type { RaftDriver } from './raft-driver.ts';
import type { SnapshotTransfer } from './snapshot-transfer.ts';

export interface CompactorParts {
  readonly driver: Pick<RaftDriver, 'core' | 'restoring' | 'step'>;
  readonly applier: Pick<Applier, 'applied' | 'store' | 'flush'>;
  readonly log: Pick<LogStore, 'compact'>;
  readonly snapshots: Pick<SnapshotTransfer, 'underWay'>;
  readonly fatal: (error: unknown) => void;
}

/**
 * Keeps the log short: once enough stands in it, the state's database is made durable and the log is cut behind that,
 * but for a tail that spares slow followers a snapshot. What a follower that is there still lacks stays too, within
 * limits: cut away while a snapshot is on its way to it, it would need the next one, and so for ever.
 */
export class Compactor {
  readonly #parts: CompactorParts;
  readonly #limits: ReplicaLimits;
  #running: Promise<void> | null = null;

  constructor(parts: CompactorParts, limits: ReplicaLimits) {
    this.#parts = parts;
    this.#limits = limits;
  }

  consider(): void {
    if (this.#running !== null || !this.#isDue()) return;
    const { store } = this.#parts.applier;
    this.#running = this.#compact()
      .catch((error: unknown) => this.#failed(store, error))
      .finally(() => (this.#running = null));
  }

  async settled(): Promise<void> {
    await this.#running;
  }

  #isDue(): boolean {
    const { core } = this.#parts.driver;
    const { applied } = this.#parts.applier;
    const entries = applied - core.firstIndex;
    const isLong = entries > this.#limits.compactEntries || core.logBytes > this.#limits.compactBytes;
    return isLong && this.#cut(applied) >= core.firstIndex;
  }

  async #compact(): Promise<void> {
    const { driver, applier, log } = this.#parts;
    const durable = await applier.flush();
    const index = this.#cut(durable);
    if (index < driver.core.firstIndex) return;
    const meta = driver.core.snapshotMeta(index);
    await log.compact(meta);
    driver.step({ kind: 'compact', index });
  }

  /** Where a snapshot takes the place of the state, nothing is left to be compacted. */
  #failed(store: StateStore, error: unknown): void {
    const { driver, applier, fatal } = this.#parts;
    if (driver.restoring === null && applier.store === store) fatal(error);
  }

  #cut(durable: Index): Index {
    const { core } = this.#parts.driver;
    const { compactBytes, keptEntries, heldEntries, heldBytes } = this.#limits;
    const usual = durable - (core.logBytes > compactBytes ? Math.floor(keptEntries / 10) : keptEntries);
    const mayHold = core.logBytes <= heldBytes && durable - core.firstIndex <= heldEntries;
    return mayHold ? Math.min(usual, this.#leastHeld()) : usual;
  }

  /** Up to here every follower that is there holds the log, or will with the snapshot that is on its way to it. */
  #leastHeld(): Index {
    const { driver, snapshots } = this.#parts;
    let least = Number.POSITIVE_INFINITY;
    for (const { matchIndex, state, recentActive } of driver.core.progress()) {
      if (recentActive) least = Math.min(least, state === 'snapshot' ? (snapshots.underWay ?? least) : matchIndex);
    }
    return least;
  }
}
