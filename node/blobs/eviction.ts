import type { BlobName } from '../../src/cas/digest.ts';
import type { BlobIndex, IndexedBlob, Pin } from './blob-index.ts';
import type { BlobLimits } from './limits.ts';

export interface EvictionDependencies {
  readonly index: Pick<BlobIndex, 'leastUsed' | 'pins'>;
  /** Whether nobody would miss them: of each, whether its other copies are where they should be. */
  readonly mayGo: (names: readonly BlobName[]) => Promise<readonly boolean[]>;
  /** False when it is needed after all, or gone already. */
  readonly remove: (name: BlobName) => Promise<boolean>;
  /** Milliseconds of the epoch. */
  readonly now: () => number;
}

/** Makes room: what was not used for longest goes first, and what is pinned or not safe elsewhere stays. */
export class Eviction {
  readonly #dependencies: EvictionDependencies;
  readonly #limits: BlobLimits;
  #pausedUntil = 0;
  #evicted = 0;

  constructor(dependencies: EvictionDependencies, limits: BlobLimits) {
    this.#dependencies = dependencies;
    this.#limits = limits;
  }

  /** Blobs since the start. */
  get evicted(): number {
    return this.#evicted;
  }

  /** @returns how many bytes were freed; fewer than wanted when the rest has to stay */
  async free(bytes: number): Promise<number> {
    const { index, now } = this.#dependencies;
    if (now() < this.#pausedUntil) return 0;
    let freed = 0;
    let after: IndexedBlob | null = null;
    while (freed < bytes) {
      const batch: readonly IndexedBlob[] = await index.leastUsed(this.#limits.evictionBatch, after);
      const looked = await this.#lookAt(batch, bytes - freed);
      if (looked.last === null) break;
      after = looked.last;
      freed += await this.#freeOf(looked.unpinned, bytes - freed);
    }
    if (freed === 0) this.#pausedUntil = now() + this.#limits.evictionPauseMs;
    return freed;
  }

  /** As many as are enough: some of them may have to stay, so those behind are taken with them, but not all. */
  async #lookAt(batch: readonly IndexedBlob[], bytes: number) {
    const unpinned: IndexedBlob[] = [];
    let last: IndexedBlob | null = null;
    let sum = 0;
    for (const blob of batch) {
      if (sum >= bytes * 2) break;
      last = blob;
      if (isPinned(await this.#dependencies.index.pins(blob.name), this.#dependencies.now())) continue;
      unpinned.push(blob);
      sum += blob.size;
    }
    return { unpinned, last };
  }

  async #freeOf(blobs: readonly IndexedBlob[], bytes: number): Promise<number> {
    const { mayGo, remove } = this.#dependencies;
    const allowed = await mayGo(blobs.map(({ name }) => name));
    let freed = 0;
    for (const [at, { name, size }] of blobs.entries()) {
      if (freed >= bytes) break;
      if (allowed[at] !== true || !(await remove(name))) continue;
      freed += size;
      this.#evicted += 1;
    }
    return freed;
  }
}

/** @param now milliseconds of the epoch */
export function isPinned(pins: readonly Pin[], now: number): boolean {
  return pins.some(({ until }) => until === null || until > now);
}
