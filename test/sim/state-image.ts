import { crc32 } from 'node:zlib';
import { placeOf } from '../../node/storage/state-keys.ts';
import type { Index } from '../../raft/types.ts';
import { encodeRecord } from '../../src/state/codec.ts';
import type { StateRecord } from '../../src/state/records.ts';

interface Undo {
  readonly rows: readonly (readonly [string, Uint8Array | undefined])[];
  readonly applied: Index;
  readonly hash: number;
}

/** A state database: rows, and what a crash may take back of them. */
export class StateImage {
  readonly rows = new Map<string, Uint8Array>();
  applied: Index = 0;
  /** Of all rows, whatever their order: equal states have equal hashes. */
  hash = 0;
  /** Batches that no flush has made durable, oldest first. */
  #undo: Undo[] = [];

  /** Applied index of what would survive the loss of power for certain. */
  get durable(): Index {
    return this.#undo[0]?.applied ?? this.applied;
  }

  /** One atomic batch. */
  write(records: readonly StateRecord[], applied: Index): void {
    const before: [string, Uint8Array | undefined][] = [];
    const undo = { rows: before, applied: this.applied, hash: this.hash };
    for (const record of records) {
      const { at, not } = placeOf(record);
      if (not !== null) this.#set(before, not, undefined);
      this.#set(before, at, record.value === null ? undefined : encodeRecord(record.table, record.value));
    }
    this.applied = applied;
    this.#undo.push(undo);
  }

  put(key: string, value: Uint8Array): void {
    this.#set([], key, value);
  }

  flush(): void {
    this.#undo = [];
  }

  /** Only the first `kept` unsynced batches reached the disk. */
  lose(kept: number): void {
    for (const { rows, applied, hash } of this.#undo.splice(kept).toReversed()) {
      for (const [key, value] of rows.toReversed()) {
        if (value === undefined) this.rows.delete(key);
        else this.rows.set(key, value);
      }
      this.applied = applied;
      this.hash = hash;
    }
    this.#undo = [];
  }

  get unsynced(): number {
    return this.#undo.length;
  }

  #set(before: [string, Uint8Array | undefined][], key: string, value: Uint8Array | undefined): void {
    const old = this.rows.get(key);
    before.push([key, old]);
    if (old !== undefined) this.hash = (this.hash - hashOf(key, old)) >>> 0;
    if (value === undefined) this.rows.delete(key);
    else {
      this.hash = (this.hash + hashOf(key, value)) >>> 0;
      this.rows.set(key, value);
    }
  }
}

function hashOf(key: string, value: Uint8Array): number {
  const crc = crc32(value, crc32(key));
  const mixed = Math.imul(crc ^ (crc >>> 16), 0x45d9f3b);
  return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) >>> 0;
}
