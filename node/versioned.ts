import { pack, unpack } from 'msgpackr';
import { Rejection } from '../src/errors.ts';

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

/** @throws Rejection `invalidRequest` */
export function unpackMessage(bytes: Uint8Array): unknown {
  try {
    return unpack(bytes) as unknown;
  } catch {
    throw new Rejection('invalidRequest', 'a message of a member cannot be read');
  }
}
