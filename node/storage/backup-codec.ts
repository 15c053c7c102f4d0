import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Fault, Rejection } from '../../src/errors.ts';
import type { SnapshotMeta } from '../../raft/types.ts';
import { configurationSchema } from './block-codec.ts';

/**
 * A backup is one file: "QRBK" · version u8 · length u32 LE · a head of so many bytes of JSON · a snapshot as
 * dump-codec.ts has it · SHA-256 of everything before it.
 */
const MAGIC = 'QRBK';
const BACKUP_VERSION = 1;
const FRONT_BYTES = 9;
const HASH_BYTES = 32;
/** Of a head that is read; one tells the members of a cluster at most. */
const HEAD_BYTES_MAX = 1024 * 1024;

export interface BackupHead {
  readonly clusterId: string;
  /** The node that made it. */
  readonly node: string;
  /** The program's. */
  readonly version: string;
  /** RFC 3339. */
  readonly madeAt: string;
  /** Where in the log the state stands. */
  readonly snapshot: SnapshotMeta;
}

const count = z.int().nonnegative();
const headSchema = z.object({
  clusterId: z.string(),
  node: z.string(),
  version: z.string(),
  madeAt: z.iso.datetime(),
  snapshot: z.strictObject({ index: count, term: count, configuration: configurationSchema }),
});

/** @param dump a snapshot's bytes, at the index that the head tells */
export async function* encodeBackup(
  head: BackupHead,
  dump: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  const hash = createHash('sha256');
  const front = encodeFront(head);
  hash.update(front);
  yield front;
  for await (const chunk of dump) {
    hash.update(chunk);
    yield chunk;
  }
  yield hash.digest();
}

export interface BackupReader {
  readonly head: BackupHead;
  /** The snapshot's bytes. Only when they have ended without an error is all of the backup known to be right. */
  readonly dump: AsyncGenerator<Uint8Array, void>;
}

/** @throws Fault `corrupt`, Rejection `wrongVersion` */
export async function readBackup(chunks: AsyncIterable<Uint8Array>): Promise<BackupReader> {
  const source = chunks[Symbol.asyncIterator]();
  let held = await take(source, Buffer.alloc(0), FRONT_BYTES);
  if (held.toString('latin1', 0, 4) !== MAGIC) throw new Fault('corrupt', 'this is no backup');
  const version = held.readUInt8(4);
  if (version !== BACKUP_VERSION) {
    throw new Rejection('wrongVersion', `the backup has version ${version}, known: ${BACKUP_VERSION}`);
  }
  const length = held.readUInt32LE(5);
  if (length > HEAD_BYTES_MAX) throw new Fault('corrupt', 'the backup has a head that is too large');
  held = await take(source, held, FRONT_BYTES + length);
  const front = held.subarray(0, FRONT_BYTES + length);
  return { head: decodeHead(front.subarray(FRONT_BYTES)), dump: readDumpPart(source, held, front.length) };
}

/** Holds back what may be the hash until the end has come. */
async function* readDumpPart(
  source: AsyncIterator<Uint8Array>,
  read: Buffer,
  from: number,
): AsyncGenerator<Uint8Array, void> {
  const hash = createHash('sha256').update(read.subarray(0, from));
  let held = read.subarray(from);
  for (;;) {
    if (held.length > HASH_BYTES) {
      const part = held.subarray(0, -HASH_BYTES);
      hash.update(part);
      yield part;
      held = held.subarray(-HASH_BYTES);
    }
    const next = await source.next();
    if (next.done === true) break;
    held = Buffer.concat([held, next.value]);
  }
  if (held.length < HASH_BYTES) throw new Fault('corrupt', 'the backup is cut short');
  if (!hash.digest().equals(held)) throw new Fault('corrupt', 'the backup has a wrong checksum');
}

function encodeFront(head: BackupHead): Uint8Array {
  const json = Buffer.from(JSON.stringify(head));
  const front = Buffer.alloc(FRONT_BYTES);
  front.write(MAGIC, 'latin1');
  front.writeUInt8(BACKUP_VERSION, 4);
  front.writeUInt32LE(json.length, 5);
  return Buffer.concat([front, json]);
}

function decodeHead(json: Buffer): BackupHead {
  try {
    return headSchema.parse(JSON.parse(json.toString()));
  } catch (error) {
    throw new Fault('corrupt', 'the head of the backup cannot be read', { cause: error });
  }
}

async function take(source: AsyncIterator<Uint8Array>, before: Buffer, bytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = [before];
  for (let length = before.length; length < bytes;) {
    const next = await source.next();
    if (next.done === true) throw new Fault('corrupt', 'the backup is cut short');
    parts.push(next.value);
    length += next.value.length;
  }
  return Buffer.concat(parts);
}
