import { Level } from 'level';
import { storageError } from './storage-error.ts';

/** A LevelDB with byte values. `level` leaves classic-level's `compactRange` out of its types. */
export type Database<Key> = Level<Key, Uint8Array> & { compactRange(start: Key, end: Key): Promise<void> };

export interface DatabaseOptions {
  readonly keys: 'utf8' | 'view';
  readonly compression: 'snappy' | 'none';
  readonly writeBufferBytes: number;
  readonly cacheBytes: number;
}

const FILE_BYTES = 8 * 1024 * 1024;
const OPEN_FILES = 256;

/** @throws Fault, Rejection `conflict` when another process has it open */
export async function openDatabase<Key extends string | Uint8Array>(
  location: string,
  options: DatabaseOptions,
): Promise<Database<Key>> {
  const database = new Level<Key, Uint8Array>(location, {
    keyEncoding: options.keys,
    valueEncoding: 'view',
    compression: options.compression === 'snappy',
    writeBufferSize: options.writeBufferBytes,
    cacheSize: options.cacheBytes,
    maxFileSize: FILE_BYTES,
    maxOpenFiles: OPEN_FILES,
  });
  try {
    await database.open();
  } catch (error) {
    throw storageError(error, `opening ${location}`);
  }
  return database as Database<Key>;
}
