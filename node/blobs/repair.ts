import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type BlobName, formatName } from '../../src/cas/digest.ts';
import { wantedHolders } from '../../src/cas/placement.ts';
import type { NodeId } from '../../src/ids.ts';
import type { IndexedBlob } from './blob-index.ts';
import type { Holding } from './bulk-messages.ts';
import type { Holders } from './holders.ts';
import type { BlobLimits } from './limits.ts';
import type { LocalStore } from './local-store.ts';
import { Pace } from './pace.ts';
import type { Peers } from './peers.ts';
import { Turnstile } from './turnstile.ts';

export interface RepairDependencies {
  readonly self: NodeId;
  readonly local: LocalStore;
  readonly peers: Peers;
  readonly holders: Holders;
  readonly logger: Logger;
  /** A clock that does not jump, in milliseconds. */
  readonly clock: () => number;
  /** Milliseconds of the epoch. */
  readonly now: () => number;
  /** Puts and reads of clients under way. */
  readonly active: () => number;
  /** Brings a blob here; false when nobody has it. */
  readonly fetch: (name: BlobName) => Promise<boolean>;
}

export interface RepairOptions {
  readonly copies: number;
  readonly limits: BlobLimits;
}

/**
 * Sees to it that each blob that is here is where it should be: asks the members that are to hold it, in batches, and
 * gives it to those that do not. What it finds it forgets again; the members' own indexes are the truth.
 */
export class Repair {
  readonly #parts: RepairDependencies;
  readonly #options: RepairOptions;
  readonly #pace: Pace;
  readonly #atOnce: Turnstile;
  readonly #noted = new Map<string, BlobName>();
  readonly #lost = new Map<string, BlobName>();
  #all: 'wanted' | 'done' = 'wanted';
  #seen = '';
  #wake: () => void = () => {};
  #isWoken = false;
  #stopped = false;
  #repaired = 0;
  #mended = 0;
  #removed = 0;
  #missing = 0;

  constructor(dependencies: RepairDependencies, options: RepairOptions) {
    this.#parts = dependencies;
    this.#options = options;
    this.#pace = new Pace(options.limits.repairBytesPerSecond, dependencies.clock, (ms) => sleep(ms));
    this.#atOnce = new Turnstile(options.limits.repairsAtOnce);
  }

  get figures() {
    return {
      repaired: this.#repaired,
      mended: this.#mended,
      surplusRemoved: this.#removed,
      copiesMissing: this.#missing,
    };
  }

  /** The members may have changed: all is looked at again if they have. */
  membersChanged(): void {
    this.#wakeUp();
  }

  /** Something of this blob is amiss: it is looked at soon. */
  note(name: BlobName): void {
    if (this.#noted.size >= this.#options.limits.noted) this.#all = 'wanted';
    else this.#noted.set(formatName(name), name);
    this.#wakeUp();
  }

  /** A blob that was here is not any more, or was wrong. */
  lost(name: BlobName): void {
    this.#lost.set(formatName(name), name);
    this.#wakeUp();
  }

  /** Goes on until it is stopped. */
  async run(): Promise<void> {
    const { limits } = this.#options;
    let pause = 0;
    let lookedAt = Number.NEGATIVE_INFINITY;
    while (!this.#stopped) {
      await this.#rest(pause);
      if (this.#isStopped()) return;
      await sleep(limits.reviewDelayMs);
      const { clock, holders, logger } = this.#parts;
      const members = holders.fingerprint(clock());
      const isDue = members !== this.#seen || clock() - lookedAt >= limits.reviewEveryMs;
      if (isDue) this.#all = 'wanted';
      this.#seen = members;
      try {
        const isAllWell = await this.#look();
        if (isDue) lookedAt = clock();
        pause = this.#pauseAfter(isAllWell);
      } catch (error) {
        if (!this.#isStopped()) logger.warn({ err: error }, 'looking after the copies of blobs was cut short');
        pause = limits.retryMs;
      }
    }
  }

  /**
   * For a node that is to leave, and is no holder any more: gives what is here to those that are.
   * @param until when it stops, by the clock
   * @returns how many blobs are not where they should be
   */
  async handOver(until: number): Promise<number> {
    const { local, holders, clock } = this.#parts;
    if (holders.all(clock()).length === 0) return local.index.blobs;
    let left = 0;
    let looked = 0;
    for (let after: BlobName | null = null; ;) {
      const batch: readonly IndexedBlob[] = await local.index.behind(after, this.#options.limits.reviewBatch);
      if (batch.length === 0) return left;
      if (clock() > until) return left + Math.max(0, local.index.blobs - looked);
      after = batch.at(-1)?.name ?? null;
      looked += batch.length;
      left += (await this.#review(batch)).length;
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#isWoken = true;
    this.#wake();
  }

  #isStopped(): boolean {
    return this.#stopped;
  }

  #pauseAfter(isAllWell: boolean): number {
    const { limits } = this.#options;
    const { clock, holders } = this.#parts;
    const gone = holders.nextGoneAt(clock());
    const next = isAllWell ? limits.reviewEveryMs : limits.retryMs;
    return gone === null ? next : Math.min(next, gone - clock() + 1);
  }

  async #rest(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, ms);
    if (!this.#isWoken) await promise;
    clearTimeout(timer);
    this.#isWoken = false;
  }

  /** @returns whether nothing is left to be done, as far as it can be done */
  async #look(): Promise<boolean> {
    const { local } = this.#parts;
    const lost = await this.#bringBack();
    if (this.#all === 'wanted') {
      this.#all = 'done';
      this.#noted.clear();
      return (await this.#lookAtAll()) && lost;
    }
    const names = [...this.#noted.values()];
    this.#noted.clear();
    const rows = await local.index.rows(names);
    const blobs = names.flatMap((name, at) => {
      const row = rows[at] ?? null;
      return row === null ? [] : [{ name, ...row }];
    });
    const amiss = await this.#review(blobs);
    for (const name of amiss) this.#noted.set(formatName(name), name);
    this.#missing = amiss.length;
    return amiss.length === 0 && lost;
  }

  async #lookAtAll(): Promise<boolean> {
    const { local } = this.#parts;
    let missing = 0;
    let after: BlobName | null = null;
    while (!this.#isStopped()) {
      const batch: readonly IndexedBlob[] = await local.index.behind(after, this.#options.limits.reviewBatch);
      if (batch.length === 0) break;
      after = batch.at(-1)?.name ?? null;
      missing += (await this.#review(batch)).length;
    }
    this.#missing = missing;
    if (missing > 0) this.#all = 'wanted';
    return missing === 0;
  }

  /** @returns those of which a copy is missing still, though it should be possible to make it */
  async #review(blobs: readonly IndexedBlob[]): Promise<readonly BlobName[]> {
    const { self, holders, clock } = this.#parts;
    const all = holders.all(clock());
    const wanted = blobs.map((blob) => ({ blob, at: wantedHolders(blob.name, all, this.#options.copies) }));
    const told = await this.#ask(wanted);
    const amiss = new Set<BlobName>();
    const work = wanted.map(async ({ blob, at }) => {
      const others = at.filter((id) => id !== self);
      const holdings = others.map((id) => told.get(id)?.get(blob.name) ?? 'unknown');
      if (holdings.includes('unknown')) amiss.add(blob.name);
      for (const [position, id] of others.entries()) {
        if (holdings[position] !== 'none') continue;
        if (!(await this.#give(id, blob))) amiss.add(blob.name);
      }
      if (!at.includes(self) && others.length > 0 && !amiss.has(blob.name)) await this.#removeSurplus(blob, others);
    });
    await Promise.all(work);
    return [...amiss];
  }

  /** What each member says of those blobs that it is to hold. A member that cannot be asked says nothing. */
  async #ask(
    wanted: readonly { readonly blob: IndexedBlob; readonly at: readonly NodeId[] }[],
  ): Promise<ReadonlyMap<NodeId, ReadonlyMap<BlobName, Holding>>> {
    const { self, peers, logger } = this.#parts;
    const names = new Map<NodeId, BlobName[]>();
    for (const { blob, at } of wanted) {
      for (const id of at) {
        if (id === self) continue;
        const list = names.get(id) ?? [];
        list.push(blob.name);
        names.set(id, list);
      }
    }
    const told = new Map<NodeId, Map<BlobName, Holding>>();
    const asking = [...names].map(async ([id, asked]) => {
      try {
        const found = await peers.have(id, asked, 0);
        told.set(id, new Map(asked.map((name, at) => [name, found[at] ?? 'none'])));
      } catch (error) {
        logger.debug({ at: id, err: error }, 'a member does not tell which blobs it has');
      }
    });
    await Promise.all(asking);
    return told;
  }

  async #give(at: NodeId, { name, size }: IndexedBlob): Promise<boolean> {
    const { peers, local, logger } = this.#parts;
    return await this.#atOnce.run(async () => {
      if (this.#isStopped()) return false;
      await this.#inIdle();
      await this.#pace.take(size);
      try {
        await peers.take(at, name, size, await local.index.pins(name));
        this.#repaired += 1;
        return true;
      } catch (error) {
        logger.info({ blob: formatName(name), at, err: error }, 'a copy of a blob could not be made yet');
        return false;
      }
    });
  }

  /** Clients go first, but not for ever. */
  async #inIdle(): Promise<void> {
    const { clock, active } = this.#parts;
    const until = clock() + this.#options.limits.repairPatienceMs;
    while (active() > 0 && clock() < until && !this.#isStopped()) await sleep(10);
  }

  /** A copy that others hold and this node need not goes, once they have said that theirs stays. */
  async #removeSurplus({ name, lastUse }: IndexedBlob, others: readonly NodeId[]): Promise<void> {
    const { local, now } = this.#parts;
    if (now() - lastUse < this.#options.limits.surplusAfterMs) return;
    const [isSure] = await this.#areSure([name], others);
    if (isSure === true && (await local.remove(name))) this.#removed += 1;
  }

  async #areSure(names: readonly BlobName[], others: readonly NodeId[]): Promise<readonly boolean[]> {
    const { peers } = this.#parts;
    const { keepMs } = this.#options.limits;
    const told = await Promise.all(others.map((id) => peers.have(id, names, keepMs).catch(() => null)));
    return names.map((_, at) => told.every((found) => found?.[at] === 'here'));
  }

  /**
   * Whether blobs may go to make room: where each other member that is to hold it does, or has no room for it either.
   */
  async mayGo(names: readonly BlobName[]): Promise<readonly boolean[]> {
    const { self, holders, peers, clock } = this.#parts;
    const all = holders.all(clock());
    const wanted = names.map((name) => wantedHolders(name, all, this.#options.copies).filter((id) => id !== self));
    const asked = [...new Set(wanted.flat())];
    const told = new Map(
      await Promise.all(
        asked.map(async (id) => {
          const theirs = names.filter((_, at) => wanted[at]?.includes(id));
          const found = await peers.have(id, theirs, this.#options.limits.keepMs).catch(() => []);
          return [id, new Map(theirs.map((name, at) => [name, found[at] ?? null]))] as const;
        }),
      ),
    );
    return names.map((name, at) =>
      (wanted[at] ?? []).every((id) => {
        const holding = told.get(id)?.get(name) ?? null;
        return holding === 'here' || holding === 'full';
      }),
    );
  }

  /** @returns whether none is left that could be brought back */
  async #bringBack(): Promise<boolean> {
    const { self, holders, clock, fetch, logger } = this.#parts;
    const all = holders.all(clock());
    for (const [key, name] of this.#lost) {
      if (!wantedHolders(name, all, this.#options.copies).includes(self)) {
        this.#lost.delete(key);
        continue;
      }
      try {
        if (await fetch(name)) this.#mended += 1;
        else if (holders.reachable().length < all.length - 1 || all.length === 1) continue;
        else logger.error({ blob: key }, 'a blob is lost: no member has it');
        this.#lost.delete(key);
      } catch (error) {
        logger.warn({ blob: key, err: error }, 'a blob could not be brought back yet');
      }
    }
    return this.#lost.size === 0;
  }
}
