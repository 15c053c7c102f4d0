import { pack } from 'msgpackr';
import { Fault, Rejection } from '../src/errors.ts';
import type { JobId } from '../src/ids.ts';
import { FrameDecoder, joinFrames } from './p2p/framing.ts';
import type { LogOffsets, LogPiece } from './runner/ports.ts';
import { decodeVersioned, encodeVersioned, unpackMessage } from './versioned.ts';

/** What a member may ask another for on a stream of its own (`PeerNetwork.open`). */
export type OpenRequest =
  | { readonly kind: 'snapshot' }
  | {
      readonly kind: 'log';
      readonly job: JobId;
      readonly attempt: number;
      readonly stream: 'stdout' | 'stderr' | 'both';
      readonly follow: boolean;
      /** Where in each output the answer begins. */
      readonly from: LogOffsets;
      /** The answer may end behind so many bytes though the log goes on. Null: it is the whole. */
      readonly maxBytes: number | null;
    }
  /** Where the last lines begin: one chunk, `LogOffsets`. */
  | { readonly kind: 'logTail'; readonly job: JobId; readonly attempt: number; readonly lines: number }
  /** `end` is exclusive. The first chunk of the answer is the blob's head. */
  | { readonly kind: 'blob'; readonly hash: string; readonly start: number; readonly end: number };

export function encodeOpen(request: OpenRequest): Uint8Array {
  return encodeVersioned(request);
}

export function decodeOpen(bytes: Uint8Array): OpenRequest {
  return decodeVersioned(bytes) as OpenRequest;
}

export function encodeBlobHead(head: { readonly size: number }): Uint8Array {
  return encodeVersioned(head);
}

export function decodeBlobHead(bytes: Uint8Array): { readonly size: number } {
  return decodeVersioned(bytes) as { readonly size: number };
}

export function encodeLogOffsets(offsets: LogOffsets): Uint8Array {
  return encodeVersioned(offsets);
}

export function decodeLogOffsets(bytes: Uint8Array): LogOffsets {
  return decodeVersioned(bytes) as LogOffsets;
}

/** More than a piece of a log and what stands with it ever take. */
const LOG_PIECE_BYTES_MAX = 1024 * 1024;

/** A part of a log on its way between members, in a frame: the chunks of a stream are cut and joined as they go. */
export function encodeLogPiece({ stream, at, data, offset }: LogPiece): Uint8Array {
  return Buffer.concat(joinFrames([pack([stream, at, data, offset])]));
}

/** @throws Fault `peerUnreachable` when the bytes are not whole frames */
export async function* decodeLogPieces(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<LogPiece, void> {
  let frames: Uint8Array[] = [];
  const decoder = new FrameDecoder((frame) => frames.push(frame), { maxFrameBytes: LOG_PIECE_BYTES_MAX });
  for await (const chunk of chunks) {
    try {
      decoder.push(chunk);
    } catch (error) {
      throw new Fault('peerUnreachable', 'the member sent a log that cannot be read', { cause: error });
    }
    const whole = frames;
    frames = [];
    for (const frame of whole) yield decodeLogPiece(frame);
  }
  if (decoder.partialBytes > 0) throw new Fault('peerUnreachable', 'the log broke off in the middle of a piece');
}

function decodeLogPiece(frame: Uint8Array): LogPiece {
  const piece = unpackMessage(frame);
  if (!Array.isArray(piece)) throw new Rejection('invalidRequest', 'a part of a log cannot be read');
  const [stream, at, data, offset] = piece as [LogPiece['stream'], string, Uint8Array, number];
  return { stream, at, data, offset };
}
