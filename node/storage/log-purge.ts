import type { Index } from '../../raft/types.ts';
import type { Database } from './database.ts';
import { blockKey } from './log-layout.ts';

/** Removes blocks that lie before the log, in the background: nothing reads them, and a crash leaves them for later. */
export interface Purge {
  remove(blocks: readonly PurgedBlock[]): void;
  /** The first index of the oldest block that may still be on disk, null for none. */
  oldest(): Index | null;
  /** Ends after the step under way. */
  stop(): Promise<void>;
}

export interface PurgedBlock {
  readonly first: Index;
  readonly bytes: number;
}

/** Deletes in one batch, so that a persist never waits long behind them. */
const STEP_BLOCKS = 512;
/** Tombstones slow a seek down: 277 ms were measured over 900,000. Fewer than these are left to LevelDB. */
const COMPACT_BLOCKS = 4096;
const COMPACT_BYTES = 16 * 1024 * 1024;

export function createPurge(database: Database<Uint8Array>, onError: (error: unknown) => void): Purge {
  const queue: PurgedBlock[] = [];
  let running: Promise<void> | null = null;
  let state: 'open' | 'stopping' = 'open';
  let removed = { from: 0, to: 0, blocks: 0, bytes: 0 };

  async function run(): Promise<void> {
    try {
      while (queue.length > 0 && state === 'open') await step();
    } catch (error) {
      state = 'stopping';
      onError(error);
    }
    running = null;
  }

  async function step(): Promise<void> {
    const blocks = queue.slice(0, STEP_BLOCKS);
    await database.batch(blocks.map(({ first }) => ({ type: 'del', key: blockKey(first) })));
    queue.splice(0, blocks.length);
    for (const { first, bytes } of blocks) {
      if (removed.blocks === 0) removed.from = first;
      removed = { ...removed, to: first + 1, blocks: removed.blocks + 1, bytes: removed.bytes + bytes };
    }
    if (removed.blocks < COMPACT_BLOCKS && removed.bytes < COMPACT_BYTES) return;
    const { from, to } = removed;
    removed = { from: 0, to: 0, blocks: 0, bytes: 0 };
    await database.compactRange(blockKey(from), blockKey(to));
  }

  return {
    remove(blocks) {
      if (blocks.length === 0 || state !== 'open') return;
      for (const block of blocks) queue.push(block);
      running ??= run();
    },
    oldest: () => queue[0]?.first ?? null,
    async stop() {
      state = 'stopping';
      await running;
    },
  };
}
