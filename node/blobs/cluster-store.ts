import type { Logger } from 'pino';
import { type BlobName, formatName } from '../../src/cas/digest.ts';
import { rankHolders } from '../../src/cas/placement.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import { type ByteRange, cutRange, verified } from './blob-bytes.ts';
import type { Pin } from './blob-index.ts';
import type { Holders } from './holders.ts';
import type { BlobLimits } from './limits.ts';
import type { LocalStore, OpenBlob, PutOptions, Stored } from './local-store.ts';
import { MissCache } from './miss-cache.ts';
import type { Peers, RemoteBlob } from './peers.ts';

export interface ClusterStoreDependencies {
  readonly self: NodeId;
  readonly local: LocalStore;
  readonly peers: Peers;
  readonly holders: Holders;
  readonly logger: Logger;
  /** A clock that does not jump, in milliseconds. */
  readonly clock: () => number;
  /** Told of each blob whose copies are not where they should be. */
  readonly onAmiss: (name: BlobName) => void;
}

export interface ClusterStoreOptions {
  readonly copies: number;
  readonly limits: BlobLimits;
}

export interface PutCopies extends Stored {
  /** Durable copies when it was acknowledged. */
  readonly copies: number;
}

/** The blobs of the whole cluster, as seen from this node: what is put here is copied, what is not here is found. */
export class ClusterStore {
  readonly #parts: ClusterStoreDependencies;
  readonly #options: ClusterStoreOptions;
  readonly #misses: MissCache;
  #active = 0;
  #copied = 0;
  #readElsewhere = 0;

  constructor(dependencies: ClusterStoreDependencies, options: ClusterStoreOptions) {
    this.#parts = dependencies;
    this.#options = options;
    this.#misses = new MissCache({ forMs: options.limits.missMs, size: options.limits.misses });
  }

  /** Puts and reads of clients under way. */
  get active(): number {
    return this.#active;
  }

  get figures(): { readonly copied: number; readonly readElsewhere: number } {
    return { copied: this.#copied, readElsewhere: this.#readElsewhere };
  }

  /** To be called when the members change: who comes may have what was nowhere. */
  membersChanged(): void {
    this.#misses.clear();
  }

  /**
   * Acknowledged once as many copies are durable as are wanted, or as there are members that can be reached: those that
   * are missing then are made as soon as there is one. @throws as `LocalStore.put`
   */
  async put(name: BlobName, source: AsyncIterable<Uint8Array>, options: PutOptions): Promise<PutCopies> {
    return await this.#whileActive(async () => {
      const stored = await this.#parts.local.put(name, source, options);
      return await this.#withCopies(name, stored, options.pins);
    });
  }

  /** @throws as `LocalStore.adopt` */
  async putFile(name: BlobName, path: string, pins: readonly Pin[]): Promise<PutCopies> {
    return await this.#whileActive(async () => {
      const stored = await this.#parts.local.adopt(name, path, pins);
      return await this.#withCopies(name, stored, pins);
    });
  }

  /** Here and at the other holders. @throws Rejection `notFound` when it is not here */
  async pin(name: BlobName, pins: readonly Pin[]): Promise<void> {
    const { local } = this.#parts;
    const found = await local.stat(name);
    if (found === null || !(await local.pin(name, pins))) {
      throw new Rejection('notFound', `there is no blob ${formatName(name)} at this node`);
    }
    await this.#makeCopies(name, found.size, pins);
  }

  /** @throws Rejection `notFound`, `invalidRequest`; Fault `peerUnreachable` when a holder cannot be asked */
  async read(name: BlobName, range: ByteRange): Promise<OpenBlob> {
    const { local } = this.#parts;
    if ((await local.stat(name)) !== null) {
      const here = await local.open(name, range).catch(nullIfNotFound);
      if (here !== null) return { size: here.size, stream: this.#counting(here.stream) };
    }
    const found = await this.#find(name, range, this.#candidates(name));
    if (found === null)
      throw new Rejection('notFound', `there is no blob ${formatName(name)} at any member that can be reached`);
    this.#readElsewhere += 1;
    const { size } = found.blob;
    const part = cutRange(range, size);
    const stream = this.#follow(name, part, found);
    const isWhole = part.start === 0 && part.end === size;
    return { size, stream: this.#counting(isWhole ? verified(stream, name, async () => {}) : stream) };
  }

  async stat(name: BlobName): Promise<{ readonly size: number } | null> {
    const here = await this.#parts.local.stat(name);
    if (here !== null) return here;
    const found = await this.#find(name, { start: 0, end: 0 }, this.#candidates(name));
    if (found === null) return null;
    for await (const _ of found.blob.stream);
    return { size: found.blob.size };
  }

  /** Those that are at no member that can be reached. */
  async missing(names: readonly BlobName[]): Promise<readonly BlobName[]> {
    const { local, holders, peers } = this.#parts;
    const sizes = await local.sizes(names);
    let missing = names.filter((_, at) => sizes[at] === null);
    for (const peer of holders.reachable()) {
      if (missing.length === 0) break;
      const found = await peers.have(peer, missing, 0).catch(() => []);
      missing = missing.filter((_, at) => found[at] !== 'here');
    }
    return missing;
  }

  /** A copy of a blob that is elsewhere comes here. @returns whether it was found */
  async fetch(name: BlobName): Promise<boolean> {
    const found = await this.#find(name, WHOLE, this.#candidates(name));
    if (found === null) return false;
    const { size } = found.blob;
    await this.#parts.local.put(name, this.#follow(name, { start: 0, end: size }, found), { size, pins: [] });
    return true;
  }

  async #withCopies(name: BlobName, stored: Stored, pins: readonly Pin[]): Promise<PutCopies> {
    this.#misses.remove(name);
    const copies = 1 + (await this.#makeCopies(name, stored.size, pins));
    return { ...stored, copies };
  }

  /** @returns how many other members have it then; fewer than wanted when no more can be reached */
  async #makeCopies(name: BlobName, size: number, pins: readonly Pin[]): Promise<number> {
    const { self, holders, clock, onAmiss } = this.#parts;
    const wanted = this.#options.copies - 1;
    if (wanted === 0) return 0;
    const reachable = new Set(holders.reachable());
    const all = holders.all(clock());
    const candidates = rankHolders(
      name,
      all.filter((id) => id !== self),
    ).filter((id) => reachable.has(id));
    let made = 0;
    while (made < wanted && candidates.length > 0) {
      const tried = candidates.splice(0, wanted - made);
      const results = await Promise.all(tried.map((at) => this.#copyTo(at, name, size, pins)));
      made += results.filter((result) => result).length;
    }
    // One that is not to hold it for good may hold it now.
    const owners = rankHolders(name, all).slice(0, this.#options.copies);
    if (made < wanted || !owners.includes(self)) onAmiss(name);
    return made;
  }

  async #copyTo(at: NodeId, name: BlobName, size: number, pins: readonly Pin[]): Promise<boolean> {
    const { peers, logger } = this.#parts;
    try {
      await peers.take(at, name, size, pins);
      this.#copied += 1;
      return true;
    } catch (error) {
      logger.warn({ blob: formatName(name), at, err: error }, 'a member took no copy of a blob');
      return false;
    }
  }

  /** Those first that should have it, then all others. */
  #candidates(name: BlobName): NodeId[] {
    return [...rankHolders(name, this.#parts.holders.reachable())];
  }

  /** @param candidates who is still to be asked: those that were are taken out */
  async #find(name: BlobName, range: ByteRange, candidates: NodeId[]): Promise<Found | null> {
    const { peers, clock } = this.#parts;
    if (this.#misses.has(name, clock())) return null;
    let trouble: Fault | null = null;
    for (let from = candidates.shift(); from !== undefined; from = candidates.shift()) {
      try {
        return { blob: await peers.read(from, name, range), candidates };
      } catch (error) {
        if (error instanceof Fault) trouble = error;
        else if (!isNotFound(error)) throw error;
      }
    }
    // It may well be where nobody could be asked.
    if (trouble !== null)
      throw new Fault('peerUnreachable', `not all members could be asked for the blob: ${trouble.message}`);
    this.#misses.add(name, clock());
    return null;
  }

  /** From another member when the one that sends breaks off; those that were asked before are asked again at the end. */
  async *#follow(
    name: BlobName,
    { start, end }: ByteRange,
    first: Found,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    let { blob, candidates }: Found = first;
    let at = start;
    for (let rounds = 0; ;) {
      try {
        for await (const chunk of blob.stream) {
          at += chunk.length;
          yield chunk;
        }
        if (at >= end) return;
        throw new Fault('peerUnreachable', 'a member sent less of a blob than it has');
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        this.#parts.logger.info({ blob: formatName(name), at, err: error }, 'reading a blob goes on at another member');
        if (candidates.length === 0 && (rounds += 1) <= 1) candidates = this.#candidates(name);
        const next = await this.#find(name, { start: at, end }, candidates);
        if (next === null) throw error;
        ({ blob, candidates } = next);
      }
    }
  }

  async #whileActive<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#active += 1;
    try {
      return await work();
    } finally {
      this.#active -= 1;
    }
  }

  async *#counting<Bytes>(stream: AsyncIterable<Bytes>): AsyncGenerator<Bytes, void> {
    this.#active += 1;
    try {
      yield* stream;
    } finally {
      this.#active -= 1;
    }
  }
}

interface Found {
  readonly blob: RemoteBlob;
  readonly candidates: NodeId[];
}

const WHOLE: ByteRange = { start: 0, end: Number.MAX_SAFE_INTEGER };

function isNotFound(error: unknown): boolean {
  return error instanceof Rejection && error.code === 'notFound';
}

function nullIfNotFound(error: unknown): null {
  if (isNotFound(error)) return null;
  throw error;
}
