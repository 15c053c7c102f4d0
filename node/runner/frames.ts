import { Packr } from 'msgpackr';
import { Fault } from '../../src/errors.ts';
import { PROTOCOL_VERSION } from './messages.ts';

/** A frame: length of what follows (4 bytes, big endian), protocol version (1 byte), msgpack. */
const HEADER_BYTES = 5;
/** Holds the largest spec with its environment, and a long list of held attempts. */
export const FRAME_BYTES_MAX = 8 * 1024 * 1024;

const packr = new Packr({ useRecords: false });

export function encodeFrame(message: unknown): Buffer {
  const body = packr.pack(message);
  if (body.length > FRAME_BYTES_MAX) throw new Fault('overloaded', `a frame of ${body.length} bytes is too large`);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  frame.writeUInt32BE(body.length + 1, 0);
  frame[4] = PROTOCOL_VERSION;
  body.copy(frame, HEADER_BYTES);
  return frame;
}

export type Decoded<Message> =
  { readonly kind: 'message'; readonly message: Message } | { readonly kind: 'otherVersion'; readonly version: number };

export interface FrameDecoder<Message> {
  /** @throws Fault `corrupt`: the connection cannot go on */
  push(chunk: Buffer): Decoded<Message>[];
}

/** The sender is the other half of this program, on a socket that only this user can open: its type is trusted. */
export function createFrameDecoder<Message>(): FrameDecoder<Message> {
  let pieces: Buffer[] = [];
  let have = 0;
  let need = HEADER_BYTES;
  return {
    push(chunk) {
      pieces.push(chunk);
      have += chunk.length;
      if (have < need) return [];
      const buffer = pieces.length === 1 ? chunk : Buffer.concat(pieces, have);
      const decoded: Decoded<Message>[] = [];
      let offset = 0;
      need = HEADER_BYTES;
      while (buffer.length - offset >= HEADER_BYTES) {
        const length = buffer.readUInt32BE(offset) - 1;
        if (length < 0 || length > FRAME_BYTES_MAX)
          throw new Fault('corrupt', 'a frame of the runner has no valid length');
        if (buffer.length - offset < HEADER_BYTES + length) {
          need = HEADER_BYTES + length;
          break;
        }
        decoded.push(decode(buffer, offset, length));
        offset += HEADER_BYTES + length;
      }
      const rest = buffer.subarray(offset);
      pieces = rest.length === 0 ? [] : [rest];
      have = rest.length;
      return decoded;
    },
  };
}

function decode<Message>(buffer: Buffer, offset: number, length: number): Decoded<Message> {
  const version = buffer[offset + 4] ?? 0;
  if (version !== PROTOCOL_VERSION) return { kind: 'otherVersion', version };
  const body = buffer.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + length);
  try {
    return { kind: 'message', message: packr.unpack(body) as Message };
  } catch (cause) {
    throw new Fault('corrupt', 'a frame of the runner cannot be read', { cause });
  }
}
