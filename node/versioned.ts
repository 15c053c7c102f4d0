import { pack, unpack } from 'msgpackr';
import type { z } from 'zod';
import { Fault, Rejection } from '../src/errors.ts';

const VERSION = 1;

/** A message between members, behind the version of its shape. */
export function encodeVersioned(message: unknown): Uint8Array {
  return pack([VERSION, message]);
}

/**
 * @throws Rejection `wrongVersion`: members of different versions must agree before they talk; `invalidRequest` when it
 *   cannot be read
 */
export function decodeVersioned(bytes: Uint8Array): unknown {
  const message = unpackMessage(bytes);
  if (!Array.isArray(message) || message.length !== 2 || message[0] !== VERSION) {
    throw new Rejection('wrongVersion', 'this member speaks another version of the protocol between members');
  }
  return message[1];
}

/** What a member asks. @throws as `decodeVersioned`; Rejection `invalidRequest` when it is of another shape */
export function decodeRequest<Schema extends z.ZodType>(schema: Schema, bytes: Uint8Array): z.output<Schema> {
  const parsed = schema.safeParse(decodeVersioned(bytes));
  if (!parsed.success) throw new Rejection('invalidRequest', 'a request of a member is malformed');
  return parsed.data;
}

/** What a member answered. @throws as `decodeVersioned`; Fault `peerUnreachable` when it is of another shape */
export function decodeAnswer<Schema extends z.ZodType>(schema: Schema, bytes: Uint8Array): z.output<Schema> {
  const parsed = schema.safeParse(decodeVersioned(bytes));
  if (!parsed.success) throw new Fault('peerUnreachable', 'the answer of a member is malformed');
  return parsed.data;
}

/** @throws Rejection `invalidRequest` */
export function unpackMessage(bytes: Uint8Array): unknown {
  try {
    return unpack(bytes) as unknown;
  } catch {
    throw new Rejection('invalidRequest', 'a message of a member cannot be read');
  }
}
