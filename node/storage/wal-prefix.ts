import { open, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * LevelDB recovers from a damaged write-ahead log by passing over the damaged records, which leaves holes: a later
 * write without an earlier one. Where writes are not synced, the loss of power can do that. So before it opens such a
 * database the log is cut at the first record that is damaged, cut short or does not follow the one before it; what
 * then is opened is a state that was once written, only an older one.
 *
 * The format (LevelDB's doc/log_format.md): blocks of 32 KiB of records, each with a header of masked CRC-32C u32 ·
 * length u16 · type u8. Their content is a write batch: sequence u64 · count of operations u32 · operations.
 */
const BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
const BATCH_HEADER_BYTES = 12;
const TYPES = { full: 1, first: 2, middle: 3, last: 4 } as const;
const LOG_NAME = /^[0-9]{6,}\.log$/;

export async function trimToPrefix(folder: string): Promise<void> {
  let expected: bigint | null = null;
  let state: 'whole' | 'cut' = 'whole';
  for (const name of await logNames(folder)) {
    const path = join(folder, name);
    if (state === 'cut') {
      await rm(path);
      continue;
    }
    const bytes = await readFile(path);
    const prefix = goodPrefix(bytes, expected);
    if (prefix.bytes < bytes.length) {
      await truncate(path, prefix.bytes);
      state = 'cut';
    }
    // An older log that is empty may have lost everything: what a newer one holds then has nothing to follow.
    if (prefix.next === null) state = 'cut';
    expected = prefix.next;
  }
}

async function logNames(folder: string): Promise<readonly string[]> {
  try {
    const names = (await readdir(folder)).filter((name) => LOG_NAME.test(name));
    return names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

async function truncate(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.truncate(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

interface Prefix {
  /** How much of the file is good. */
  readonly bytes: number;
  /** The sequence that the next batch must have; null when there was none yet. */
  readonly next: bigint | null;
}

function goodPrefix(bytes: Buffer, expected: bigint | null): Prefix {
  let good: Prefix = { bytes: 0, next: expected };
  let at = 0;
  for (;;) {
    const record = readRecord(bytes, at);
    if (record === null) return good;
    const { sequence, count, end } = record;
    if (good.next !== null && sequence !== good.next) return good;
    good = { bytes: end, next: sequence + BigInt(count) };
    at = end;
  }
}

interface LogRecord {
  readonly sequence: bigint;
  readonly count: number;
  readonly end: number;
}

/** The record, of one or several fragments, that begins at an offset; null when there is no whole and sound one. */
function readRecord(bytes: Buffer, from: number): LogRecord | null {
  let at = from;
  let head: Buffer = Buffer.alloc(0);
  for (let position: 'start' | 'inside' = 'start'; ; position = 'inside') {
    const fragment = readFragment(bytes, at);
    if (fragment === null) return null;
    const starts = fragment.type === TYPES.full || fragment.type === TYPES.first;
    if (starts !== (position === 'start')) return null;
    if (head.length < BATCH_HEADER_BYTES) {
      head = Buffer.concat([head, fragment.content.subarray(0, BATCH_HEADER_BYTES - head.length)]);
    }
    at = fragment.end;
    if (fragment.type === TYPES.full || fragment.type === TYPES.last) break;
  }
  if (head.length < BATCH_HEADER_BYTES) return null;
  return { sequence: head.readBigUInt64LE(0), count: head.readUInt32LE(8), end: at };
}

function readFragment(bytes: Buffer, from: number): { type: number; content: Buffer; end: number } | null {
  const left = BLOCK_BYTES - (from % BLOCK_BYTES);
  const at = left < HEADER_BYTES ? from + left : from;
  if (at + HEADER_BYTES > bytes.length) return null;
  const length = bytes.readUInt16LE(at + 4);
  const type = bytes.readUInt8(at + 6);
  const end = at + HEADER_BYTES + length;
  if (type < TYPES.full || type > TYPES.last || end > bytes.length) return null;
  if (maskedCrc32c(bytes.subarray(at + 6, end)) !== bytes.readUInt32LE(at)) return null;
  return { type, content: bytes.subarray(at + HEADER_BYTES, end), end };
}

const CASTAGNOLI = 0x82f63b78;
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CASTAGNOLI : crc >>> 1;
  return crc;
});

function maskedCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  crc = ~crc >>> 0;
  // LevelDB's util/crc32c.h: a CRC of data that holds CRCs is masked.
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
