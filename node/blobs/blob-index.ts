import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { BlobName, DigestFunction } from '../../src/cas/digest.ts';
import { Fault } from '../../src/errors.ts';
import { type Database, openDatabase } from '../storage/database.ts';
import { storageError } from '../storage/storage-error.ts';
import {
  blobKey,
  blobsOf,
  blobsOfOwner,
  endOf,
  LETTERS,
  noteKey,
  ownerKey,
  pinKey,
  pinsOf,
  readName,
  readOwner,
  readUseKey,
  useKey,
} from './blob-keys.ts';

/** What the index knows of a blob that is on this node's disk. */
export interface BlobRow {
  readonly size: number;
  /** Milliseconds of the epoch. */
  readonly lastUse: number;
}

export interface IndexedBlob extends BlobRow {
  readonly name: BlobName;
}

/** While it stands, the blob is not evicted. */
export interface Pin {
  /** As `job:ID`: who needs it, and lets go of all of its blobs at once. */
  readonly owner: string;
  /** Milliseconds of the epoch; null: until it is let go of. */
  readonly until: number | null;
}

interface Totals {
  readonly blobs: number;
  readonly bytes: number;
}

type Operation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

const OPTIONS = {
  keys: 'view',
  compression: 'none',
  writeBufferBytes: 4 * 1024 * 1024,
  cacheBytes: 16 * 1024 * 1024,
} as const;
const VERSION = 1;
const NOTHING = new Uint8Array(0);

/**
 * Which blobs are here, by name and by last use, and who needs them. It tells what the folders hold and can be made
 * anew of them, but for the pins; so it is not synced, and what a crash took from it the check of the folders brings
 * back. Changes are written in the order in which they are asked for.
 */
export class BlobIndex {
  /** Another one when the index was made anew: others then know that what was here may be gone. */
  readonly storeId: string;
  readonly #location: string;
  #database: Database<Uint8Array>;
  #totals: Totals;
  #tail: Promise<void> = Promise.resolve();
  #broken = false;
  #mending: Promise<void> | null = null;

  /** One that cannot be read is thrown away. @throws Fault `diskFull`, `diskFailed` */
  static async open(location: string): Promise<BlobIndex> {
    const database = await openDatabase<Uint8Array>(location, OPTIONS).catch(async (error: unknown) => {
      if (!(error instanceof Fault) || error.code === 'diskFull') throw error;
      await rm(location, { recursive: true, force: true });
      return await openDatabase<Uint8Array>(location, OPTIONS);
    });
    const stored = await database.get(noteKey('store'));
    const storeId = stored === undefined ? randomBytes(9).toString('base64url') : Buffer.from(stored).toString();
    if (stored === undefined) await database.put(noteKey('store'), Buffer.from(storeId));
    return new BlobIndex({ location, database, storeId, totals: decodeTotals(await database.get(noteKey('totals'))) });
  }

  private constructor(opened: {
    readonly location: string;
    readonly database: Database<Uint8Array>;
    readonly storeId: string;
    readonly totals: Totals;
  }) {
    this.#location = opened.location;
    this.#database = opened.database;
    this.storeId = opened.storeId;
    this.#totals = opened.totals;
  }

  get blobs(): number {
    return this.#totals.blobs;
  }

  get bytes(): number {
    return this.#totals.bytes;
  }

  /** Null for each that is not here. @throws Fault `diskFailed`, `corrupt` */
  async rows(names: readonly BlobName[]): Promise<(BlobRow | null)[]> {
    const values = await this.#reading(() => this.#database.getMany(names.map(blobKey)));
    return values.map((value) => (value === undefined ? null : decodeRow(value)));
  }

  async row(name: BlobName): Promise<BlobRow | null> {
    return (await this.rows([name]))[0] ?? null;
  }

  /** @param before what `row` told of it. The caller lets one change of a blob end before the next. */
  async set(name: BlobName, row: BlobRow, before: BlobRow | null): Promise<void> {
    const operations: Operation[] = [
      { type: 'put', key: blobKey(name), value: encodeRow(row) },
      { type: 'put', key: useKey(name, row.lastUse), value: NOTHING },
    ];
    if (before !== null && before.lastUse !== row.lastUse) {
      operations.unshift({ type: 'del', key: useKey(name, before.lastUse) });
    }
    const added = before === null ? { blobs: 1, bytes: row.size } : { blobs: 0, bytes: row.size - before.size };
    await this.#change(operations, added);
  }

  /** Its pins go with it. */
  async remove(name: BlobName, row: BlobRow): Promise<void> {
    const pins = await this.pins(name);
    await this.#change(
      [
        { type: 'del', key: blobKey(name) },
        { type: 'del', key: useKey(name, row.lastUse) },
        ...pins.flatMap(({ owner }) => unpinning(name, owner)),
      ],
      { blobs: -1, bytes: -row.size },
    );
  }

  async pin(name: BlobName, { owner, until }: Pin): Promise<void> {
    const value = Buffer.allocUnsafe(1 + 8);
    value.writeUInt8(VERSION, 0);
    value.writeDoubleBE(until ?? Number.POSITIVE_INFINITY, 1);
    await this.#change(
      [
        { type: 'put', key: pinKey(name, owner), value },
        { type: 'put', key: ownerKey(owner, name), value: NOTHING },
      ],
      { blobs: 0, bytes: 0 },
    );
  }

  async unpin(name: BlobName, owner: string): Promise<void> {
    await this.#change(unpinning(name, owner), { blobs: 0, bytes: 0 });
  }

  /** Those that are over included. */
  async pins(name: BlobName): Promise<readonly Pin[]> {
    const prefix = pinsOf(name);
    const found = await this.#reading(() => this.#database.iterator({ gte: prefix, lt: endOf(prefix) }).all());
    return found.map(([key, value]) => {
      const until = Buffer.from(value).readDoubleBE(1);
      return { owner: readOwner(key, name), until: Number.isFinite(until) ? until : null };
    });
  }

  /** The blobs that somebody needs. */
  async ownedBy(owner: string): Promise<readonly BlobName[]> {
    const prefix = blobsOfOwner(owner);
    const keys = await this.#reading(() => this.#database.keys({ gte: prefix, lt: endOf(prefix) }).all());
    return keys.map((key) => readName(key.subarray(prefix.length))).filter((name) => name !== null);
  }

  /** Those that were not used for longest first. @param after where the last ones ended; null: at the beginning */
  async leastUsed(limit: number, after: { name: BlobName; lastUse: number } | null): Promise<readonly IndexedBlob[]> {
    const from = after === null ? { gte: Buffer.of(LETTERS.use) } : { gt: useKey(after.name, after.lastUse) };
    const keys = await this.#reading(() =>
      this.#database.keys({ ...from, lt: Buffer.of(LETTERS.use + 1), limit }).all(),
    );
    const used = keys.map(readUseKey).filter((key) => key !== null);
    const rows = await this.rows(used.map(({ name }) => name));
    return used.flatMap(({ name, lastUse }, at) => {
      const row = rows[at] ?? null;
      return row === null ? [] : [{ name, size: row.size, lastUse }];
    });
  }

  /** In the order of their names. @param after null: from the beginning */
  async behind(after: BlobName | null, limit: number): Promise<readonly IndexedBlob[]> {
    const from = after === null ? { gte: Buffer.of(LETTERS.blob) } : { gt: blobKey(after) };
    return await this.#indexed({ ...from, lt: Buffer.of(LETTERS.blob + 1), limit });
  }

  /** Those whose hash begins so. @param digits an even number of hex digits */
  async within(digestFunction: DigestFunction, digits: string): Promise<readonly IndexedBlob[]> {
    const prefix = blobsOf(digestFunction, digits);
    return await this.#indexed({ gte: prefix, lt: endOf(prefix) });
  }

  async note(name: string): Promise<string | null> {
    const value = await this.#reading(() => this.#database.get(noteKey(name)));
    return value === undefined ? null : Buffer.from(value).toString();
  }

  async setNote(name: string, text: string): Promise<void> {
    const put: Operation = { type: 'put', key: noteKey(name), value: Buffer.from(text) };
    await this.#change([put], { blobs: 0, bytes: 0 });
  }

  async close(): Promise<void> {
    await this.#tail.catch(() => {});
    await this.#database.close();
  }

  async #indexed(range: object): Promise<readonly IndexedBlob[]> {
    const entries = await this.#reading(() => this.#database.iterator(range).all());
    return entries.flatMap(([key, value]) => {
      const name = readName(key.subarray(1));
      return name === null ? [] : [{ name, ...decodeRow(value) }];
    });
  }

  async #reading<Result>(read: () => Promise<Result>): Promise<Result> {
    try {
      await this.#mend();
      return await read();
    } catch (error) {
      throw storageError(error, 'reading the index of the blobs');
    }
  }

  #change(operations: readonly Operation[], added: Totals): Promise<void> {
    const change = this.#tail.catch(() => {}).then(() => this.#write(operations, added));
    this.#tail = change;
    return change;
  }

  async #write(operations: readonly Operation[], added: Totals) {
    const totals = { blobs: this.#totals.blobs + added.blobs, bytes: this.#totals.bytes + added.bytes };
    try {
      await this.#mend();
      const counted: Operation = { type: 'put', key: noteKey('totals'), value: encodeTotals(totals) };
      await this.#database.batch([...operations, counted]);
      this.#totals = totals;
    } catch (error) {
      this.#broken = true;
      throw storageError(error, 'writing the index of the blobs');
    }
  }

  /** After a write that failed LevelDB takes no more until it is opened again: the disk may have had no room. */
  async #mend(): Promise<void> {
    if (this.#broken) await (this.#mending ??= this.#openAgain().finally(() => (this.#mending = null)));
  }

  async #openAgain(): Promise<void> {
    await this.#database.close();
    this.#database = await openDatabase<Uint8Array>(this.#location, OPTIONS);
    this.#broken = false;
  }
}

function unpinning(name: BlobName, owner: string): Operation[] {
  return [
    { type: 'del', key: pinKey(name, owner) },
    { type: 'del', key: ownerKey(owner, name) },
  ];
}

const ROW_BYTES = 1 + 8 + 8;

function encodeRow({ size, lastUse }: BlobRow): Uint8Array {
  const bytes = Buffer.allocUnsafe(ROW_BYTES);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeBigUInt64BE(BigInt(size), 1);
  bytes.writeBigUInt64BE(BigInt(lastUse), 9);
  return bytes;
}

/** @throws Fault `corrupt` */
function decodeRow(value: Uint8Array): BlobRow {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.length !== ROW_BYTES || bytes[0] !== VERSION) {
    throw new Fault('corrupt', 'a row of the index of the blobs cannot be read');
  }
  return { size: Number(bytes.readBigUInt64BE(1)), lastUse: Number(bytes.readBigUInt64BE(9)) };
}

function encodeTotals({ blobs, bytes }: Totals): Uint8Array {
  return Buffer.from(`${blobs} ${bytes}`);
}

function decodeTotals(value: Uint8Array | undefined): Totals {
  const [blobs = 0, bytes = 0] = value === undefined ? [] : Buffer.from(value).toString().split(' ').map(Number);
  return { blobs, bytes };
}
