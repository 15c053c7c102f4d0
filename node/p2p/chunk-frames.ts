import { FRAME_HEADER_BYTES } from './framing.ts';

/** On a stream of `open()`: frames of type u8 and payload. A type's number is never used again for another. */
export const CHUNK_TYPES = { request: 0, chunk: 1, end: 2, error: 3 } as const;

const NOTHING = new Uint8Array(0);

/** The whole frame with its length, ready to be sent. */
export function encodeChunk(
  type: (typeof CHUNK_TYPES)[keyof typeof CHUNK_TYPES],
  payload: Uint8Array = NOTHING,
): Uint8Array {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + 1 + payload.length);
  frame.writeUInt32BE(1 + payload.length, 0);
  frame.writeUInt8(type, FRAME_HEADER_BYTES);
  frame.set(payload, FRAME_HEADER_BYTES + 1);
  return frame;
}
