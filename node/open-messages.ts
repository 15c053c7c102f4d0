import { pack, unpack } from 'msgpackr';
import type { LogEvent } from '../src/api/views.ts';
import type { JobId } from '../src/ids.ts';
import { decodeVersioned, encodeVersioned } from './versioned.ts';

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

/** A part of a log on its way between members. */
export function encodeLogEvent(event: LogEvent): Uint8Array {
  return pack([event.stream, event.at, event.data]);
}

export function decodeLogEvent(bytes: Uint8Array): LogEvent {
  const [stream, at, data] = unpack(bytes) as [LogEvent['stream'], string, Uint8Array];
  return { stream, at, data };
}
