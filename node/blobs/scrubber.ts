import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { formatName, parseName } from '../../src/cas/digest.ts';
import type { BlobName } from '../../src/cas/digest.ts';
import { Fault } from '../../src/errors.ts';
import { readFile, verified } from './blob-bytes.ts';
import type { Disk } from './disk.ts';
import type { BlobLimits } from './limits.ts';
import type { LocalStore } from './local-store.ts';

export interface ScrubberDependencies {
  readonly store: LocalStore;
  readonly disk: Disk;
  readonly logger: Logger;
  /** Milliseconds of the epoch. */
  readonly now: () => number;
}

const BATCH = 64;
const PLACE = 'scrub';

/**
 * Reads every blob again in rounds, slowly, and sets aside those whose bytes have changed: disks forget. Where a round
 * has come to is noted, so that a restart goes on from there.
 */
export class Scrubber {
  readonly #dependencies: ScrubberDependencies;
  readonly #limits: BlobLimits;
  readonly #stop = new AbortController();
  #scrubbedBytes = 0;

  constructor(dependencies: ScrubberDependencies, limits: BlobLimits) {
    this.#dependencies = dependencies;
    this.#limits = limits;
  }

  /** Since the start. */
  get scrubbedBytes(): number {
    return this.#scrubbedBytes;
  }

  /** Goes on until it is stopped. */
  async run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#round();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#dependencies.logger.warn({ err: error }, 'reading the blobs again was cut short');
      }
      await this.#pause(this.#limits.scrubPauseMs);
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  async #round(): Promise<void> {
    const { store, now } = this.#dependencies;
    const place = readPlace(await store.index.note(PLACE));
    if (place.at === null && now() - place.since < this.#limits.scrubEveryMs) return;
    const since = place.at === null ? now() : place.since;
    for (let at = place.at; ;) {
      const batch = await store.index.behind(at, BATCH);
      if (batch.length === 0) break;
      for (const { name } of batch) {
        if (this.#stop.signal.aborted) return;
        await this.#scrub(name);
        at = name;
      }
      await store.index.setNote(PLACE, `${since} ${at === null ? '' : formatName(at)}`);
    }
    await store.index.setNote(PLACE, `${since} `);
  }

  async #scrub(name: BlobName): Promise<void> {
    const { store, disk, logger } = this.#dependencies;
    const path = store.layout.pathOf(name);
    const size = await disk.size(path);
    if (size === null) {
      await store.forgetIfGone(name);
      return;
    }
    const bytes = readFile({ disk, path }, { start: 0, end: size }, this.#limits);
    try {
      for await (const chunk of verified(bytes, name, async () => {})) {
        this.#scrubbedBytes += chunk.length;
        await this.#pause((chunk.length / this.#limits.scrubBytesPerSecond) * 1000);
        if (this.#stop.signal.aborted) return;
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      logger.error({ blob: formatName(name), err: error }, 'a blob has gone bad on this disk: it is set aside');
      await store.setAside(name);
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}

/** When the round began, in milliseconds of the epoch, and the last blob that was read; null: none of a next round. */
function readPlace(note: string | null): { readonly since: number; readonly at: BlobName | null } {
  const [since = '0', at = ''] = (note ?? '').split(' ');
  return { since: Number(since), at: at === '' ? null : parseName(at) };
}
