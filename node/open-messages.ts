import { pack } from 'msgpackr';
import { z } from 'zod';
import { Fault } from '../src/errors.ts';
import { count, jobId } from './message-shapes.ts';
import { FrameDecoder, joinFrames } from './p2p/framing.ts';
import type { LogOffsets, LogPiece } from './runner/ports.ts';
import { decodeAnswer, decodeRequest, encodeVersioned, unpackMessage } from './versioned.ts';

const offsets = z.object({ stdout: count, stderr: count });

/** What a member may ask another for on a stream of its own (`PeerNetwork.open`). */
const request = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('snapshot') }),
  z.object({
    kind: z.literal('log'),
    job: jobId,
    attempt: z.int().positive(),
    stream: z.enum(['stdout', 'stderr', 'both']),
    follow: z.boolean(),
    /** Where in each output the answer begins. */
    from: offsets,
    /** The answer may end behind so many bytes though the log goes on. Null: it is the whole. */
    maxBytes: count.nullable(),
  }),
  /** Where the last lines begin: one chunk, `LogOffsets`. */
  z.object({ kind: z.literal('logTail'), job: jobId, attempt: z.int().positive(), lines: count }),
]);
export type OpenRequest = z.output<typeof request>;

export function encodeOpen(message: OpenRequest): Uint8Array {
  return encodeVersioned(message);
}

/** @throws as `decodeRequest` */
export function decodeOpen(bytes: Uint8Array): OpenRequest {
  return decodeRequest(request, bytes);
}

export function encodeLogOffsets(at: LogOffsets): Uint8Array {
  return encodeVersioned(at);
}

/** @throws as `decodeAnswer` */
export function decodeLogOffsets(bytes: Uint8Array): LogOffsets {
  return decodeAnswer(offsets, bytes);
}

/** More than a piece of a log and what stands with it ever take. */
const LOG_PIECE_BYTES_MAX = 1024 * 1024;

const logPiece = z.tuple([z.enum(['stdout', 'stderr']), z.string(), z.instanceof(Uint8Array), count]);

/** A part of a log on its way between members, in a frame: the chunks of a stream are cut and joined as they go. */
export function encodeLogPiece({ stream, at, data, offset }: LogPiece): Uint8Array {
  return Buffer.concat(joinFrames([pack([stream, at, data, offset])]));
}

/** @throws Fault `peerUnreachable` when the bytes are not whole frames, or one of them is no part of a log */
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
  const piece = logPiece.safeParse(unpackMessage(frame));
  if (!piece.success) throw new Fault('peerUnreachable', 'the member sent a part of a log that cannot be read');
  const [stream, at, data, offset] = piece.data;
  return { stream, at, data, offset };
}
