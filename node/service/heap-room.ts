import { getHeapStatistics } from 'node:v8';
import { Fault } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';

/**
 * V8 collects at the latest when what is used has come half the way from what was live to its limit. So above this at
 * least 0.7 of the limit is live, and what is left is needed to go on.
 */
const FULL = 0.85;
/** V8 counts into its limit what new objects take, on 64 bits; the process dies when the old ones have reached the rest. */
const YOUNG_BYTES = 96 * 2 ** 20;

export interface HeapUse {
  readonly node: NodeId;
  /** What is used of what the process may use, from 0 to 1. */
  readonly share: number;
}

export function heapShare(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used / Math.max(1, limit - YOUNG_BYTES);
}

/**
 * Every replica holds all jobs that are not final, so a submission is refused while one of them has no room for more: a
 * process that runs out of memory dies, and again at each start.
 */
export class HeapRoom {
  readonly #heaps: () => Iterable<HeapUse>;

  /** @param heaps of this node, and of others as far as they are known */
  constructor(heaps: () => Iterable<HeapUse>) {
    this.#heaps = heaps;
  }

  /** @throws Fault `overloaded` */
  expectRoom(): void {
    for (const { node, share } of this.#heaps()) {
      if (share < FULL) continue;
      const percent = Math.round(share * 100);
      throw new Fault(
        'overloaded',
        `the node ${node} uses ${percent} % of the memory that it may: it takes jobs again when others have ended`,
      );
    }
  }
}
