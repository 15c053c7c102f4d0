import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault, Rejection } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import { syncFolder } from './durable-file.ts';
import { storageError } from './storage-error.ts';

/** Bytes under the SHA-256 of their content, each a file that is written once and never changed. */
export interface BlobStore {
  /**
   * Takes the bytes once they are durable and have that hash; otherwise nothing stays. Bytes that are there already are
   * checked and not written again.
   * @throws Rejection `invalidRequest` (no hash), `hashMismatch`, `tooLarge`; Fault `diskFull`, `diskFailed`; and what
   *   `source` throws
   */
  put(hash: string, source: AsyncIterable<Uint8Array>): Promise<{ readonly size: number; readonly existed: boolean }>;
  /**
   * `end` is exclusive; both are cut to the size. A whole blob is checked as it is read.
   * @throws Rejection `notFound`, `invalidRequest`; while reading Fault `corrupt`, `diskFailed`
   */
  get(hash: string, range?: { readonly start: number; readonly end: number }): Promise<Blob>;
  /** Null when it is not here. */
  stat(hash: string): Promise<{ readonly size: number } | null>;
}

export interface Blob {
  /** Of the whole blob, whatever part is read. */
  readonly size: number;
  /** Opens the file when it is first read. */
  readonly stream: AsyncIterable<Uint8Array>;
}

export interface BlobLimits {
  readonly blobBytes: number;
}

const HASH = /^[0-9a-f]{64}$/;
const READ_BYTES = 64 * 1024;

/** Opens a blob store in a folder of its own and removes what was half written. */
export async function openBlobStore(folder: string, limits: BlobLimits = LIMITS): Promise<BlobStore> {
  const incoming = join(folder, 'incoming');
  try {
    await rm(incoming, { recursive: true, force: true });
    await mkdir(incoming, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw storageError(error, `opening the blobs in ${folder}`);
  }
  return createBlobStore(folder, incoming, limits);
}

function createBlobStore(folder: string, incoming: string, limits: BlobLimits): BlobStore {
  const pathOf = (hash: string) => join(folder, hash.slice(0, 2), hash.slice(2, 4), hash);

  async function sizeOf(hash: string): Promise<number | null> {
    try {
      return (await stat(pathOf(hash))).size;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw storageError(error, `looking for blob ${hash}`);
    }
  }

  return {
    async put(hash, source) {
      checkHash(hash);
      const present = await sizeOf(hash);
      if (present !== null) {
        await consume(source, { hash, limits, write: async () => {} });
        return { size: present, existed: true };
      }
      const temporary = join(incoming, randomBytes(16).toString('hex'));
      try {
        const size = await receive(temporary, { hash, limits, source });
        await place(temporary, pathOf(hash));
        return { size, existed: false };
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => {});
        throw error;
      }
    },

    async get(hash, range) {
      checkHash(hash);
      const size = await sizeOf(hash);
      if (size === null) throw new Rejection('notFound', `there is no blob ${hash}`);
      const path = pathOf(hash);
      const { start, end } = cutRange(range ?? { start: 0, end: size }, size);
      const stream = readBlob(path, { start, end });
      if (start > 0 || end < size) return { size, stream };
      return { size, stream: verified(stream, hash, () => rm(path, { force: true })) };
    },

    async stat(hash) {
      checkHash(hash);
      const size = await sizeOf(hash);
      return size === null ? null : { size };
    },
  };
}

function checkHash(hash: string): void {
  if (!HASH.test(hash)) throw new Rejection('invalidRequest', 'a hash is 64 hexadecimal digits in lower case');
}

interface Consumption {
  readonly hash: string;
  readonly limits: BlobLimits;
  write(chunk: Uint8Array): Promise<void>;
}

/** @returns how many bytes there were */
async function consume(source: AsyncIterable<Uint8Array>, { hash, limits, write }: Consumption): Promise<number> {
  const hasher = createHash('sha256');
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > limits.blobBytes) {
      throw new Rejection('tooLarge', `a blob has at most ${limits.blobBytes} bytes`, {
        limit: { name: 'blobBytes', value: limits.blobBytes },
      });
    }
    hasher.update(chunk);
    await write(chunk);
  }
  if (!isHash(hasher, hash)) throw new Rejection('hashMismatch', `the bytes do not have the SHA-256 ${hash}`);
  return size;
}

function isHash(hasher: Hash, hash: string): boolean {
  return timingSafeEqual(hasher.digest(), Buffer.from(hash, 'hex'));
}

interface Incoming {
  readonly hash: string;
  readonly limits: BlobLimits;
  readonly source: AsyncIterable<Uint8Array>;
}

async function receive(path: string, { hash, limits, source }: Incoming): Promise<number> {
  const doing = `writing blob ${hash}`;
  const file = await onDisk(doing, open(path, 'wx', 0o600));
  try {
    const write = (chunk: Uint8Array) => onDisk(doing, writeWhole(file, chunk));
    const size = await consume(source, { hash, limits, write });
    await onDisk(doing, file.sync());
    return size;
  } finally {
    await file.close();
  }
}

async function writeWhole(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten;
}

async function place(temporary: string, path: string): Promise<void> {
  const shard = dirname(path);
  await onDisk(`placing blob ${path}`, mkdir(shard, { recursive: true, mode: 0o700 }));
  await onDisk(`placing blob ${path}`, rename(temporary, path));
  // The folders above may be new too.
  for (const folder of [shard, dirname(shard), dirname(dirname(shard))]) {
    await onDisk(`placing blob ${path}`, syncFolder(folder));
  }
}

async function onDisk<Result>(doing: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw storageError(error, doing);
  }
}

function cutRange({ start, end }: { start: number; end: number }, size: number): { start: number; end: number } {
  const sound = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start;
  if (!sound || (start >= size && size > 0 && start > 0)) {
    throw new Rejection('invalidRequest', `the range is not within the ${size} bytes of the blob`);
  }
  return { start, end: Math.min(end, size) };
}

async function* readBlob(path: string, { start, end }: { start: number; end: number }): AsyncGenerator<Uint8Array> {
  const file = await onDisk('opening a blob', open(path, 'r'));
  try {
    for (let at = start; at < end;) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at));
      const { bytesRead } = await onDisk('reading a blob', file.read(buffer, 0, buffer.length, at));
      if (bytesRead === 0) throw new Fault('corrupt', 'a blob is shorter than it was');
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** A damaged blob is removed, so that it can be stored again. */
async function* verified(
  stream: AsyncIterable<Uint8Array>,
  hash: string,
  remove: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const hasher = createHash('sha256');
  for await (const chunk of stream) {
    hasher.update(chunk);
    yield chunk;
  }
  if (isHash(hasher, hash)) return;
  await remove();
  throw new Fault('corrupt', `blob ${hash} is damaged on this node's disk`);
}
