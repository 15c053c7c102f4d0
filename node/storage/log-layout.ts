import { z } from 'zod';
import { Fault } from '../../src/errors.ts';
import type { Configuration, Index, NodeId, SnapshotMeta } from '../../raft/types.ts';
import { configurationSchema } from './block-codec.ts';
import { seal, unseal } from './sealed.ts';

/**
 * The keys of the log database: `h` the head · `s` the snapshot that the log begins behind · `e` + u64 BE of the first
 * index → a block of entries · `c` + u64 BE → the configuration at that index.
 */
export const HEAD_KEY = Uint8Array.of(0x68);
export const SNAPSHOT_KEY = Uint8Array.of(0x73);

export function blockKey(first: Index): Uint8Array {
  return indexKey(0x65, first);
}

export function configurationKey(index: Index): Uint8Array {
  return indexKey(0x63, index);
}

/** Behind every key of that kind. */
export const BLOCKS_END = Uint8Array.of(0x66);
export const CONFIGURATIONS_START = Uint8Array.of(0x63);
export const CONFIGURATIONS_END = Uint8Array.of(0x64);

export function indexOfKey(key: Uint8Array): Index {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  if (view.byteLength !== 9) throw new Fault('corrupt', 'a key of the log has a wrong length');
  return view.getUint32(1) * 2 ** 32 + view.getUint32(5);
}

function indexKey(letter: number, index: Index): Uint8Array {
  const key = new Uint8Array(9);
  const view = new DataView(key.buffer);
  view.setUint8(0, letter);
  view.setUint32(1, Math.floor(index / 2 ** 32));
  view.setUint32(5, index >>> 0);
  return key;
}

/** Written in every batch: what the blocks beside it must agree with. */
export interface Head {
  readonly term: number;
  readonly vote: NodeId | null;
  readonly commit: Index;
  /** The log holds first … last; it is empty when last is first - 1. */
  readonly first: Index;
  readonly last: Index;
  /** Where to seek: the key of the block that holds `first`. Older ones may be there, they are being removed. */
  readonly firstBlock: Index;
  readonly purgeFrom: Index;
  /** Of the block that holds `last`, 0 for none; and the one that the next block gets. */
  readonly lastSequence: number;
  readonly nextSequence: number;
}

export const EMPTY_HEAD: Head = {
  term: 0,
  vote: null,
  commit: 0,
  first: 1,
  last: 0,
  firstBlock: 1,
  purgeFrom: 1,
  lastSequence: 0,
  nextSequence: 1,
};

const count = z.int().nonnegative();
const nodeId = z.string().transform((id) => id as NodeId);
const headSchema = z.strictObject({
  term: count,
  vote: nodeId.nullable(),
  commit: count,
  first: count,
  last: count,
  firstBlock: count,
  purgeFrom: count,
  lastSequence: count,
  nextSequence: count,
});
const snapshotSchema = z.strictObject({ index: count, term: count, configuration: configurationSchema });

export const encodeHead: (head: Head) => Uint8Array = seal;
export const encodeSnapshot: (meta: SnapshotMeta) => Uint8Array = seal;
export const encodeConfigurationRecord: (configuration: Configuration) => Uint8Array = seal;

export function decodeHead(bytes: Uint8Array): Head {
  return unseal(bytes, headSchema, "the log's head");
}

export function decodeSnapshot(bytes: Uint8Array): SnapshotMeta {
  return unseal(bytes, snapshotSchema, "the log's snapshot record");
}
