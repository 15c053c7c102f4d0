import { Fault } from '../../src/errors.ts';
import type { Disk } from './disk.ts';
import type { BlobLimits } from './limits.ts';
import { Turnstile } from './turnstile.ts';

export interface SpaceDependencies {
  readonly disk: Disk;
  readonly folder: string;
  /** Bytes of all blobs that are here. */
  readonly used: () => number;
  /** Makes room by so many bytes if it can; tells how many. */
  readonly evict: (bytes: number) => Promise<number>;
}

export interface SpaceOptions {
  /** What the blobs of this node may take. */
  readonly capacityBytes: number;
  readonly limits: BlobLimits;
}

/** Room that is kept for a blob while it is written. */
export interface Reservation {
  /** @throws Fault `diskFull` */
  growTo(bytes: number): Promise<void>;
  release(): void;
}

/** Sees to it that blobs take no more than they may, and that the disk keeps room for the log. */
export class Space {
  readonly #dependencies: SpaceDependencies;
  readonly #options: SpaceOptions;
  readonly #one = new Turnstile(1);
  #reserved = 0;

  constructor(dependencies: SpaceDependencies, options: SpaceOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
  }

  /** Whether a blob that is asked for by nobody would find room without another going. */
  get isFull(): boolean {
    return this.#missing(this.#options.limits.spaceStepBytes) > 0;
  }

  /** @param bytes as far as they are known. @throws Fault `diskFull` */
  async reserve(bytes: number): Promise<Reservation> {
    let held = 0;
    const take = async (more: number): Promise<void> => {
      await this.#one.run(async () => {
        await this.#makeRoom(more);
        this.#reserved += more;
        held += more;
      });
    };
    if (bytes > 0) await take(bytes);
    return {
      growTo: async (wanted) => {
        if (wanted <= held) return;
        const { spaceStepBytes } = this.#options.limits;
        // No blob is refused, and none goes, for the rest of a step.
        await take(Math.max(wanted - held, (await this.#hasRoom(spaceStepBytes)) ? spaceStepBytes : 0));
      },
      release: () => {
        this.#reserved -= held;
        held = 0;
      },
    };
  }

  async #makeRoom(bytes: number): Promise<void> {
    const { evict } = this.#dependencies;
    const { capacityBytes, limits } = this.#options;
    await this.#expectDisk(bytes);
    const missing = this.#missing(bytes);
    if (missing <= 0) return;
    if (bytes <= capacityBytes) await evict(Math.max(missing, Math.floor(capacityBytes * limits.evictedPart)));
    if (this.#missing(bytes) <= 0) return;
    throw new Fault(
      'diskFull',
      `the blobs of this node may take ${capacityBytes} bytes (--blob-space), and there is no room for ${bytes} more: what is there is needed, or nowhere else`,
    );
  }

  /** Without anything going. */
  async #hasRoom(bytes: number): Promise<boolean> {
    return this.#missing(bytes) <= 0 && (await this.#missingOnDisk(bytes)).missing <= 0;
  }

  #missing(bytes: number): number {
    return this.#dependencies.used() + this.#reserved + bytes - this.#options.capacityBytes;
  }

  async #expectDisk(bytes: number): Promise<void> {
    const { missing } = await this.#missingOnDisk(bytes);
    if (missing <= 0) return;
    await this.#dependencies.evict(missing);
    const after = await this.#missingOnDisk(bytes);
    if (after.missing <= 0) return;
    throw new Fault(
      'diskFull',
      `the disk is full: it has ${after.free} bytes left, some of which are kept for the log`,
    );
  }

  async #missingOnDisk(bytes: number): Promise<{ readonly missing: number; readonly free: number }> {
    const { disk, folder } = this.#dependencies;
    const room = await disk.room(folder);
    return { missing: bytes + reserveOf(room, this.#options.limits) - room.free, free: room.free };
  }
}

function reserveOf({ total }: { readonly total: number }, limits: BlobLimits): number {
  return Math.min(limits.reservedBytes, total * limits.reservedPart);
}
