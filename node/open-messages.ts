import { pack } from 'msgpackr';
import type { LogEvent } from '../src/api/views.ts';
import { Fault, Rejection } from '../src/errors.ts';
import type { JobId } from '../src/ids.ts';
import { FrameDecoder, joinFrames } from './p2p/framing.ts';
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
      readonly tail: number | null;
    }
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

/** More than a piece of a log and what stands with it ever take. */
const LOG_EVENT_BYTES_MAX = 1024 * 1024;

/** A part of a log on its way between members, in a frame: the chunks of a stream are cut and joined as they go. */
export function encodeLogEvent(event: LogEvent): Uint8Array {
  return Buffer.concat(joinFrames([pack([event.stream, event.at, event.data])]));
}

/** @throws Fault `peerUnreachable` when the bytes are not whole frames */
export async function* decodeLogEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<LogEvent, void> {
  let frames: Uint8Array[] = [];
  const decoder = new FrameDecoder((frame) => frames.push(frame), { maxFrameBytes: LOG_EVENT_BYTES_MAX });
  for await (const chunk of chunks) {
    try {
      decoder.push(chunk);
    } catch (error) {
      throw new Fault('peerUnreachable', 'the member sent a log that cannot be read', { cause: error });
    }
    const whole = frames;
    frames = [];
    for (const frame of whole) yield decodeLogEvent(frame);
  }
  if (decoder.partialBytes > 0) throw new Fault('peerUnreachable', 'the log broke off in the middle of a piece');
}

function decodeLogEvent(frame: Uint8Array): LogEvent {
  const event = unpackMessage(frame);
  if (!Array.isArray(event)) throw new Rejection('invalidRequest', 'a part of a log cannot be read');
  const [stream, at, data] = event as [LogEvent['stream'], string, Uint8Array];
  return { stream, at, data };
}
