import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type BlobName, DIGEST_FUNCTIONS, type DigestFunction, isHash } from '../../src/cas/digest.ts';

/** Where what lies in the folder of the blobs. */
export interface BlobLayout {
  readonly folder: string;
  readonly index: string;
  /** What is being written; it is emptied at each start. */
  readonly incoming: string;
  /** What had gone bad, for whoever wants to look at it. */
  readonly damaged: string;
  /** Every folder that holds blobs, in the order in which they are checked. */
  readonly shards: readonly Shard[];
  pathOf(name: BlobName): string;
  shardOf(name: BlobName): string;
  newIncoming(): string;
}

export interface Shard {
  readonly function: DigestFunction;
  /** What the hashes in it begin with. */
  readonly digits: string;
  readonly path: string;
}

const SHARD_DIGITS = 2;

/** Blobs lie under the name of the function, in 256 folders by the first two digits of their hash. */
export function blobLayout(folder: string): BlobLayout {
  const incoming = join(folder, 'incoming');
  const shardOf = (name: BlobName): string => join(folder, name.function, name.hash.slice(0, SHARD_DIGITS));
  const functions = Object.keys(DIGEST_FUNCTIONS) as DigestFunction[];
  return {
    folder,
    index: join(folder, 'index'),
    incoming,
    damaged: join(folder, 'damaged'),
    shards: functions.flatMap((name) =>
      allShards().map((digits) => ({ function: name, digits, path: join(folder, name, digits) })),
    ),
    pathOf: (name) => join(shardOf(name), name.hash),
    shardOf,
    newIncoming: () => join(incoming, randomBytes(16).toString('hex')),
  };
}

function allShards(): string[] {
  return Array.from({ length: 16 ** SHARD_DIGITS }, (_, at) => at.toString(16).padStart(SHARD_DIGITS, '0'));
}

/** Null for a file that is no blob of that folder. */
export function nameOfFile(shard: Shard, file: string): BlobName | null {
  const fits = isHash(shard.function, file) && file.startsWith(shard.digits);
  return fits ? { function: shard.function, hash: file } : null;
}
