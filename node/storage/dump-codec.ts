import { crc32 } from 'node:zlib';
import { Fault, Rejection } from '../../src/errors.ts';
import type { Index } from '../../raft/types.ts';
import type { Row } from './state-database.ts';

/**
 * A snapshot's bytes, cut into chunks anywhere. All numbers little endian.
 * Header: "QRSN" · version u8 · applied index f64. Then frames: length u32 · rows, each key length u32 · value length
 * u32 · key · value. At the end: length 0 · count of rows f64 · CRC-32 u32 of everything before it.
 */
const MAGIC = 'QRSN';
const DUMP_VERSION = 1;
const HEADER_BYTES = 13;
const TRAILER_BYTES = 12;
const ROW_HEADER_BYTES = 8;
const FRAME_BYTES = 256 * 1024;
/** Of a frame that is received; one row can be larger than a usual frame. */
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

export async function* encodeDump(applied: Index, rows: AsyncIterable<Row>): AsyncGenerator<Uint8Array> {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 'latin1');
  header.writeUInt8(DUMP_VERSION, 4);
  header.writeDoubleLE(applied, 5);
  let crc = crc32(header);
  yield header;
  let count = 0;
  for await (const frame of frames(rows)) {
    crc = crc32(frame.bytes, crc);
    count += frame.rows;
    yield frame.bytes;
  }
  const end = Buffer.alloc(4 + TRAILER_BYTES);
  end.writeDoubleLE(count, 4);
  end.writeUInt32LE(crc32(end.subarray(0, 12), crc), 12);
  yield end;
}

async function* frames(rows: AsyncIterable<Row>): AsyncGenerator<{ bytes: Uint8Array; rows: number }> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  let count = 0;
  const cut = () => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes);
    const frame = { bytes: Buffer.concat([length, ...parts], 4 + bytes), rows: count };
    parts = [];
    bytes = 0;
    count = 0;
    return frame;
  };
  for await (const [key, value] of rows) {
    const head = Buffer.alloc(ROW_HEADER_BYTES + Buffer.byteLength(key));
    head.writeUInt32LE(head.length - ROW_HEADER_BYTES, 0);
    head.writeUInt32LE(value.length, 4);
    head.write(key, ROW_HEADER_BYTES);
    if (bytes > 0 && bytes + head.length + value.length > FRAME_BYTES) yield cut();
    parts.push(head, value);
    bytes += head.length + value.length;
    count += 1;
  }
  if (bytes > 0) yield cut();
}

export interface DumpReader {
  readonly applied: Index;
  /** One frame's rows at a time. Only when it has ended without an error is all of it known to be right. */
  readonly frames: AsyncGenerator<readonly Row[]>;
}

/** @throws Fault `corrupt`, Rejection `wrongVersion` */
export async function readDump(chunks: AsyncIterable<Uint8Array>): Promise<DumpReader> {
  const source = byteSource(chunks);
  const header = await source.read(HEADER_BYTES);
  if (header.toString('latin1', 0, 4) !== MAGIC) throw new Fault('corrupt', 'this is no snapshot');
  const version = header.readUInt8(4);
  if (version !== DUMP_VERSION) {
    throw new Rejection('wrongVersion', `the snapshot has version ${version}, known: ${DUMP_VERSION}`);
  }
  const applied = header.readDoubleLE(5);
  if (!Number.isSafeInteger(applied) || applied < 0) throw new Fault('corrupt', 'the snapshot has no applied index');
  return { applied, frames: readFrames(source) };
}

async function* readFrames(source: ByteSource): AsyncGenerator<readonly Row[]> {
  let count = 0;
  for (;;) {
    const length = (await source.read(4)).readUInt32LE();
    if (length === 0) break;
    if (length > FRAME_BYTES_MAX) throw new Fault('corrupt', 'the snapshot has a frame that is too large');
    const rows = rowsOf(await source.read(length));
    count += rows.length;
    yield rows;
  }
  const counted = (await source.read(8)).readDoubleLE();
  const crc = source.crc();
  if ((await source.read(4)).readUInt32LE() !== crc) throw new Fault('corrupt', 'the snapshot has a wrong checksum');
  if (counted !== count) throw new Fault('corrupt', 'the snapshot lacks rows');
  await source.end();
}

function rowsOf(frame: Buffer): readonly Row[] {
  const rows: Row[] = [];
  for (let at = 0; at < frame.length;) {
    if (at + ROW_HEADER_BYTES > frame.length) throw new Fault('corrupt', 'the snapshot has a row that is cut short');
    const keyEnd = at + ROW_HEADER_BYTES + frame.readUInt32LE(at);
    const end = keyEnd + frame.readUInt32LE(at + 4);
    if (end > frame.length) throw new Fault('corrupt', 'the snapshot has a row that is cut short');
    rows.push([frame.toString('utf8', at + ROW_HEADER_BYTES, keyEnd), frame.subarray(keyEnd, end)]);
    at = end;
  }
  return rows;
}

interface ByteSource {
  /** Exactly so many bytes. @throws Fault `corrupt` when there are fewer */
  read(count: number): Promise<Buffer>;
  /** Of everything read so far. */
  crc(): number;
  /** @throws Fault `corrupt` when something follows */
  end(): Promise<void>;
}

function byteSource(chunks: AsyncIterable<Uint8Array>): ByteSource {
  const iterator = chunks[Symbol.asyncIterator]();
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let crc = 0;

  async function more(): Promise<'more' | 'end'> {
    const next = await iterator.next();
    if (next.done === true) return 'end';
    held.push(next.value);
    heldBytes += next.value.length;
    return 'more';
  }

  return {
    async read(count) {
      while (heldBytes < count) {
        if ((await more()) === 'end') throw new Fault('corrupt', 'the snapshot is cut short');
      }
      const [only] = held;
      const all = held.length === 1 && only !== undefined ? bufferOver(only) : Buffer.concat(held);
      held = count < all.length ? [all.subarray(count)] : [];
      heldBytes = all.length - count;
      const bytes = all.subarray(0, count);
      crc = crc32(bytes, crc);
      return bytes;
    },
    crc: () => crc,
    async end() {
      while (heldBytes === 0) if ((await more()) === 'end') return;
      throw new Fault('corrupt', 'there is something behind the snapshot');
    },
  };
}

function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
