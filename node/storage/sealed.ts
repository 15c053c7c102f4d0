import { crc32 } from 'node:zlib';
import type { z } from 'zod';
import { Fault, Rejection } from '../../src/errors.ts';

/** Small records that must not be believed when damaged: version u8 · CRC-32 of the rest u32 LE · JSON. */
const SEAL_VERSION = 1;
const HEADER_BYTES = 5;

export function seal(value: unknown): Uint8Array {
  const json = Buffer.from(JSON.stringify(value));
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + json.length);
  bytes.writeUInt8(SEAL_VERSION, 0);
  bytes.writeUInt32LE(crc32(json), 1);
  json.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** @throws Fault `corrupt`, Rejection `wrongVersion` */
export function unseal<Schema extends z.ZodType>(bytes: Uint8Array, schema: Schema, what: string): z.infer<Schema> {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < HEADER_BYTES) throw new Fault('corrupt', `${what} is cut short`);
  const version = view.readUInt8(0);
  const json = view.subarray(HEADER_BYTES);
  if (crc32(json) !== view.readUInt32LE(1)) throw new Fault('corrupt', `${what} has a wrong checksum`);
  if (version !== SEAL_VERSION)
    throw new Rejection('wrongVersion', `${what} has version ${version}, known: ${SEAL_VERSION}`);
  const parsed = schema.safeParse(parseJson(json, what));
  if (!parsed.success) throw new Fault('corrupt', `${what} is not what it should be: ${parsed.error.message}`);
  return parsed.data;
}

function parseJson(json: Buffer, what: string): unknown {
  try {
    return JSON.parse(json.toString());
  } catch (error) {
    throw new Fault('corrupt', `${what} cannot be read`, { cause: error });
  }
}
