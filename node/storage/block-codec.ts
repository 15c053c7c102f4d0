import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { assert, Fault, Rejection, unreachable } from '../../src/errors.ts';
import type { Configuration, Entry, Index, NodeId } from '../../raft/types.ts';

/**
 * Entries as bytes, on disk and between nodes. All numbers little endian, u64 as two u32 (low, high).
 * Frame: version u8 · count u32 · index of the first u64 · entries. Entry: kind u8 · term u64 · length u32 · content.
 */
const ENTRIES_VERSION = 1;
const FRAME_HEADER_BYTES = 13;
const ENTRY_HEADER_BYTES = 13;
const KINDS = { data: 0, noop: 1, configuration: 2 } as const;
const NOTHING = new Uint8Array(0);

/** Entries must follow one another without gaps. */
export function encodeEntries(entries: readonly Entry[]): Uint8Array {
  const contents = entries.map(contentOf);
  const bytes = Buffer.allocUnsafe(framedBytes(contents));
  writeFrame(bytes, 0, entries, contents);
  return bytes;
}

/**
 * The `data` of each entry is a view into `bytes`: neither may be changed, and one entry keeps all of them alive.
 * @throws Fault `corrupt`, Rejection `wrongVersion`
 */
export function decodeEntries(bytes: Uint8Array): Entry[] {
  const view = bufferOver(bytes);
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < FRAME_HEADER_BYTES) throw new Fault('corrupt', 'the entries are cut short');
  const version = view.readUInt8(0);
  if (version !== ENTRIES_VERSION) {
    throw new Rejection('wrongVersion', `the entries have version ${version}, known: ${ENTRIES_VERSION}`);
  }
  const count = view.readUInt32LE(1);
  const first = readU64(view, 5);
  if (count * ENTRY_HEADER_BYTES > view.length) throw new Fault('corrupt', 'the entries are cut short');
  const entries: Entry[] = [];
  let at = FRAME_HEADER_BYTES;
  for (let index = first; entries.length < count; index++) {
    if (at + ENTRY_HEADER_BYTES > view.length) throw new Fault('corrupt', 'the entries are cut short');
    const end = at + ENTRY_HEADER_BYTES + view.readUInt32LE(at + 9);
    if (end > view.length) throw new Fault('corrupt', 'the entries are cut short');
    entries.push(
      entryOf(view.readUInt8(at), index, readU64(view, at + 1), plain.subarray(at + ENTRY_HEADER_BYTES, end)),
    );
    at = end;
  }
  if (at !== view.length) throw new Fault('corrupt', 'there are bytes behind the entries');
  return entries;
}

/** What an entry adds to a frame, without encoding it. Configurations are estimated from above. */
export function entryBytes(entry: Entry): number {
  switch (entry.kind) {
    case 'data':
      return ENTRY_HEADER_BYTES + entry.data.length;
    case 'noop':
      return ENTRY_HEADER_BYTES;
    case 'configuration':
      return ENTRY_HEADER_BYTES + encodeConfiguration(entry.configuration).length;
    default:
      return unreachable(entry);
  }
}

/**
 * A block of the log on disk: version u8 · CRC-32 of the rest u32 · its sequence u64 · the sequence of the block before
 * it u64 · entries. Sequences are never used twice, so a block that a truncation should have replaced does not fit the
 * one behind it.
 */
const BLOCK_VERSION = 1;
const BLOCK_HEADER_BYTES = 21;

export interface BlockChain {
  readonly sequence: number;
  /** 0: none, the log begins with this block. */
  readonly previous: number;
}

export function encodeBlock(entries: readonly Entry[], chain: BlockChain): Uint8Array {
  const contents = entries.map(contentOf);
  const bytes = Buffer.allocUnsafe(BLOCK_HEADER_BYTES + framedBytes(contents));
  bytes.writeUInt8(BLOCK_VERSION, 0);
  writeU64(bytes, chain.sequence, 5);
  writeU64(bytes, chain.previous, 13);
  writeFrame(bytes, BLOCK_HEADER_BYTES, entries, contents);
  bytes.writeUInt32LE(crc32(bytes.subarray(5)), 1);
  return bytes;
}

/** @throws Fault `corrupt`, Rejection `wrongVersion` */
export function decodeBlock(bytes: Uint8Array): BlockChain & { readonly entries: Entry[] } {
  const view = bufferOver(bytes);
  if (view.length < BLOCK_HEADER_BYTES) throw new Fault('corrupt', 'a block of the log is cut short');
  if (crc32(view.subarray(5)) !== view.readUInt32LE(1)) {
    throw new Fault('corrupt', 'a block of the log has a wrong checksum');
  }
  const version = view.readUInt8(0);
  if (version !== BLOCK_VERSION) {
    throw new Rejection('wrongVersion', `a block of the log has version ${version}, known: ${BLOCK_VERSION}`);
  }
  return {
    sequence: readU64(view, 5),
    previous: readU64(view, 13),
    entries: decodeEntries(bytes.subarray(BLOCK_HEADER_BYTES)),
  };
}

const nodes = z.array(z.string().transform((id) => id as NodeId));
export const configurationSchema = z.strictObject({
  voters: nodes,
  outgoing: nodes,
  learners: nodes,
  learnersNext: nodes,
});

function encodeConfiguration({ voters, outgoing, learners, learnersNext }: Configuration): Uint8Array {
  return Buffer.from(JSON.stringify({ voters, outgoing, learners, learnersNext }));
}

function decodeConfiguration(content: Uint8Array): Configuration {
  try {
    return configurationSchema.parse(JSON.parse(bufferOver(content).toString()));
  } catch (error) {
    throw new Fault('corrupt', 'a configuration entry cannot be read', { cause: error });
  }
}

function contentOf(entry: Entry): Uint8Array {
  switch (entry.kind) {
    case 'data':
      return entry.data;
    case 'noop':
      return NOTHING;
    case 'configuration':
      return encodeConfiguration(entry.configuration);
    default:
      return unreachable(entry);
  }
}

function entryOf(kind: number, index: Index, term: number, content: Uint8Array): Entry {
  switch (kind) {
    case KINDS.data:
      return { kind: 'data', index, term, data: content };
    case KINDS.noop:
      return { kind: 'noop', index, term };
    case KINDS.configuration:
      return { kind: 'configuration', index, term, configuration: decodeConfiguration(content) };
    default:
      throw new Fault('corrupt', `unknown kind of entry: ${kind}`);
  }
}

function framedBytes(contents: readonly Uint8Array[]): number {
  let bytes = FRAME_HEADER_BYTES;
  for (const content of contents) bytes += ENTRY_HEADER_BYTES + content.length;
  return bytes;
}

function writeFrame(bytes: Buffer, offset: number, entries: readonly Entry[], contents: readonly Uint8Array[]): void {
  const first = entries[0]?.index ?? 0;
  bytes.writeUInt8(ENTRIES_VERSION, offset);
  bytes.writeUInt32LE(entries.length, offset + 1);
  writeU64(bytes, first, offset + 5);
  let at = offset + FRAME_HEADER_BYTES;
  entries.forEach((entry, position) => {
    assert(entry.index === first + position, 'entries follow one another without gaps');
    const content = contents[position] ?? NOTHING;
    bytes.writeUInt8(KINDS[entry.kind], at);
    writeU64(bytes, entry.term, at + 1);
    bytes.writeUInt32LE(content.length, at + 9);
    bytes.set(content, at + ENTRY_HEADER_BYTES);
    at += ENTRY_HEADER_BYTES + content.length;
  });
}

function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const TWO_32 = 2 ** 32;
/** Leaves room to count on from it. */
const LARGEST = 2 ** 52;

function writeU64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32LE(value >>> 0, offset);
  bytes.writeUInt32LE(Math.floor(value / TWO_32), offset + 4);
}

function readU64(bytes: Buffer, offset: number): number {
  const value = bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * TWO_32;
  if (value > LARGEST) throw new Fault('corrupt', 'a number in the log is out of range');
  return value;
}
