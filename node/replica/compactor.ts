import type { Index } from '../../raft/types.ts';
import type { LogStore } from '../storage/ports.ts';
import type { Applier } from './applier.ts';
import { REPLICA_LIMITS } from './limits.ts';
import type { RaftDriver } from './raft-driver.ts';

/**
 * Keeps the log short: once enough stands in it, the state's database is made durable and the log is cut behind that,
 * but for a tail that spares slow followers a snapshot.
 */
export class Compactor {
  readonly #parts: { readonly driver: RaftDriver; readonly applier: Applier; readonly log: LogStore };
  #running: Promise<void> | null = null;

  constructor(parts: { readonly driver: RaftDriver; readonly applier: Applier; readonly log: LogStore }) {
    this.#parts = parts;
  }

  consider(): void {
    if (this.#running !== null || !this.#isDue()) return;
    this.#running = this.#compact().finally(() => (this.#running = null));
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

  #cut(durable: Index): Index {
    const { core } = this.#parts.driver;
    const tail =
      core.logBytes > REPLICA_LIMITS.compactBytes ? REPLICA_LIMITS.keptEntries / 10 : REPLICA_LIMITS.keptEntries;
    return durable - tail;
  }
}
