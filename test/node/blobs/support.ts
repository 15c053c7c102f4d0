import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { LocalStore } from '../../../node/blobs/local-store.ts';
import { openLocalStore, type OpenStoreOptions } from '../../../node/blobs/open-local-store.ts';
import type { BlobName } from '../../../src/cas/digest.ts';
import { blobName } from '../../../src/cas/digest.ts';

const GIB = 1024 ** 3;

export function nameOf(bytes: Uint8Array): BlobName {
  return blobName('sha256', createHash('sha256').update(bytes).digest('hex'));
}

export async function* chunksOf(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Bytes that are these and no others, for a number. */
export function sample(number: number, size: number): Buffer {
  const seed = createHash('sha256').update(`sample ${number}`).digest();
  return Buffer.alloc(size, seed);
}

/** Closed with the test, when it was not before. */
export async function openStore(folder: string, options: Partial<OpenStoreOptions> = {}): Promise<LocalStore> {
  const store = await openLocalStore(folder, { capacityBytes: GIB, ...options });
  onTestFinished(() => store.close().catch(() => {}));
  return store;
}

export async function put(store: LocalStore, bytes: Uint8Array, options: { readonly size?: number } = {}) {
  return await store.put(nameOf(bytes), chunksOf(bytes), { size: options.size ?? null, pins: [] });
}

export async function read(store: LocalStore, name: BlobName): Promise<Buffer> {
  return await bytesOf((await store.open(name, { start: 0, end: Number.MAX_SAFE_INTEGER })).stream);
}

/** The names of all files but those of the index. */
export async function filesIn(folder: string): Promise<readonly string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const index = join(folder, 'index');
  return found.filter((file) => file.isFile() && file.parentPath !== index).map((file) => file.name);
}
