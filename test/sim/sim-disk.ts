import { decodeBlock, encodeBlock } from '../../node/storage/block-codec.ts';
import { seal, unseal } from '../../node/storage/sealed.ts';
import type { Entry, Index } from '../../raft/types.ts';
import { Fault } from '../../src/errors.ts';
import { z } from 'zod';
import type { Chance } from './chance.ts';
import { LogImage } from './log-image.ts';
import { StateImage } from './state-image.ts';
import { ensure } from './violation.ts';

export interface DiskTimes {
  /** Milliseconds of a usual sync, at least and at most. */
  readonly syncMs: readonly [number, number];
  readonly writeMs: readonly [number, number];
}

export type SyncTrouble = 'none' | 'diskFailed' | 'diskFull';

/** What one machine's disk holds; it outlives the processes. */
export class SimDisk {
  readonly chance: Chance;
  readonly times: DiskTimes;
  log = new LogImage();
  state = new StateImage();
  /** A received snapshot, whole and durable, that does not count yet. */
  offer: StateImage | null = null;
  /** The next sync meets this. */
  trouble: SyncTrouble = 'none';
  /** Nothing completes before this moment. */
  stalledUntil = 0;
  /** What was synced is damaged. */
  damage: 'none' | 'flippedByte' = 'none';

  constructor(chance: Chance, times: DiskTimes) {
    this.chance = chance;
    this.times = times;
  }

  delay(now: number, kind: 'sync' | 'write'): number {
    const [least, most] = kind === 'sync' ? this.times.syncMs : this.times.writeMs;
    const usual = this.chance.between(least, most);
    return Math.max(this.stalledUntil - now, 0) + usual;
  }

  /** What the log's store finds at its opening. @throws Fault `corrupt` where the disk does not hold what was synced */
  readLog(): Entry[] {
    const { entries } = this.log;
    const read: Entry[] = [];
    for (let start = 0; start < entries.length; start += 128) {
      const bytes = encodeBlock(entries.slice(start, start + 128), { sequence: start + 1, previous: start });
      const isHit = this.damage === 'flippedByte' && start === 0;
      read.push(...decodeBlock(isHit ? this.#flip(bytes) : bytes).entries);
    }
    if (this.damage !== 'none' && entries.length === 0) throw new Fault('corrupt', 'the head of the log is damaged');
    return read;
  }

  /** Finishes or forgets a received snapshot that a crash interrupted, as the real store does at its opening. */
  openState(): StateImage {
    if (this.offer?.applied === this.log.base && this.offer.applied > 0) this.state = this.offer;
    this.offer = null;
    return this.state;
  }

  /** Something of an unsynced batch has reached the disk before the power went: damaged, it must be seen to be so. */
  tear(entries: readonly Entry[]): 'torn' | 'flipped' {
    const bytes = entries.length > 0 ? encodeBlock(entries, { sequence: 1, previous: 0 }) : seal(this.log.hardState);
    const how = this.chance.pick(['torn', 'flipped'] as const);
    const damaged = how === 'torn' ? bytes.subarray(0, this.chance.below(bytes.length)) : this.#flip(bytes);
    let seen = false;
    try {
      if (entries.length > 0) decodeBlock(damaged);
      else unseal(damaged, z.unknown(), 'the head of the log');
    } catch {
      seen = true;
    }
    ensure(seen, 'damage is seen', () => `a ${how} batch was read as if it were whole`);
    return how;
  }

  /** Nothing may leave the log before it is durable elsewhere on this disk. */
  checkCut(): void {
    const held: Index = Math.max(this.state.durable, this.offer?.applied ?? 0);
    ensure(
      this.log.base <= held,
      'purged ≤ snapshot',
      () => `the log begins at ${this.log.base}, the state ends ${held}`,
    );
  }

  #flip(bytes: Uint8Array): Uint8Array {
    const damaged = new Uint8Array(bytes);
    const at = this.chance.below(damaged.length);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << this.chance.below(8));
    return damaged;
  }
}
