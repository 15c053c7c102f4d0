import type { BlobName } from '../../src/cas/digest.ts';
import { formatName } from '../../src/cas/digest.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import { blobHash } from './blob-hash.ts';
import type { Disk } from './disk.ts';
import type { BlobLimits } from './limits.ts';
import type { Reservation } from './space.ts';

export interface ByteRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** Reads all of the source and checks that it has that name. @returns its size @throws Rejection `hashMismatch`, `tooLarge` */
export async function consume(
  name: BlobName,
  source: AsyncIterable<Uint8Array>,
  limits: BlobLimits,
  take: (bytes: Uint8Array, size: number) => Promise<void>,
): Promise<number> {
  const hash = blobHash(name.function);
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > limits.blobBytes) throw tooLarge(limits);
    hash.update(chunk);
    await take(chunk, size);
  }
  if (hash.isOf(name)) return size;
  throw new Rejection('hashMismatch', `the bytes do not have the name ${formatName(name)}`);
}

export function tooLarge({ blobBytes }: BlobLimits): Rejection {
  const limit = { name: 'blobBytes', value: blobBytes };
  return new Rejection('tooLarge', `a blob has at most ${limit.value} bytes`, { limit });
}

/** Writes the source into a new file, which is durable then but for its name. @throws as `consume`; Fault `diskFull`, `diskFailed` */
export async function receive(
  { disk, path, reservation }: { readonly disk: Disk; readonly path: string; readonly reservation: Reservation },
  name: BlobName,
  source: AsyncIterable<Uint8Array>,
  limits: BlobLimits,
): Promise<number> {
  const file = await disk.create(path);
  try {
    let synced = 0;
    const size = await consume(name, source, limits, async (bytes, until) => {
      await reservation.growTo(until);
      await file.write(bytes);
      if (until - synced < limits.syncEveryBytes) return;
      await file.sync();
      synced = until;
    });
    await file.sync();
    return size;
  } finally {
    await file.close();
  }
}

/** @throws Rejection `invalidRequest` when it begins behind the end */
export function cutRange({ start, end }: ByteRange, size: number): ByteRange {
  const sound = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start;
  if (!sound || (start > 0 && start >= size)) {
    throw new Rejection('invalidRequest', `the range is not within the ${size} bytes of the blob`);
  }
  return { start, end: Math.min(end, size) };
}

/**
 * Opens the file when its first bytes are asked for, so that a stream which nobody begins holds none, and closes it when
 * it ends or is left. @throws Fault `corrupt` when the file is shorter than it was or gone, `diskFailed`
 */
export async function* readFile(
  { disk, path }: { readonly disk: Disk; readonly path: string },
  { start, end }: ByteRange,
  limits: BlobLimits,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const file = await disk.open(path);
  if (file === null) throw new Fault('corrupt', 'a blob went away before it was read');
  try {
    for (let at = start; at < end;) {
      const bytes = await file.read(Math.min(limits.chunkBytes, end - at), at);
      if (bytes.length === 0) throw new Fault('corrupt', 'a blob is shorter than it was');
      at += bytes.length;
      yield bytes;
    }
  } finally {
    await file.close();
  }
}

/** The same bytes; their end comes only when all that came has the name. @param onWrong told before it throws `corrupt` */
export async function* verified<Bytes extends Uint8Array>(
  stream: AsyncIterable<Bytes>,
  name: BlobName,
  onWrong: () => Promise<void>,
): AsyncGenerator<Bytes, void> {
  const hash = blobHash(name.function);
  for await (const chunk of stream) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.isOf(name)) return;
  await onWrong();
  throw new Fault('corrupt', `what came of the blob ${formatName(name)} is not what it was`);
}
