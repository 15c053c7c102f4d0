import type { Index } from '../../raft/types.ts';
import type { LogStore, StateStore } from '../storage/ports.ts';
import type { Applier } from './applier.ts';
import { REPLICA_LIMITS } from './limits.ts';
import type { RaftDriver } from './raft-driver.ts';

export interface CompactorParts {
  readonly driver: Pick<RaftDriver, 'core' | 'restoring' | 'step'>;
  readonly applier: Pick<Applier, 'applied' | 'store' | 'flush'>;
  readonly log: Pick<LogStore, 'compact'>;
  readonly fatal: (error: unknown) => void;
}

/**
 * Keeps the log short: once enough stands in it, the state's database is made durable and the log is cut behind that,
 * but for a tail that spares slow followers a snapshot.
 */
export class Compactor {
  readonly #parts: CompactorParts;
  #running: Promise<void> | null = null;

  constructor(parts: CompactorParts) {
    this.#parts = parts;
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
    const entries = this.#parts.applier.applied - core.firstIndex;
    return entries > REPLICA_LIMITS.compactEntries || core.logBytes > REPLICA_LIMITS.compactBytes;
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
    const tail =
      core.logBytes > REPLICA_LIMITS.compactBytes ? REPLICA_LIMITS.keptEntries / 10 : REPLICA_LIMITS.keptEntries;
    return durable - tail;
  }
}
