import { Rejection } from '../src/errors.ts';
import { decodeOpen, encodeBlobHead, encodeLogEvent } from './open-messages.ts';
import type { Replica } from './replica/replica.ts';
import type { LogReader } from './runner/ports.ts';
import type { BlobStore } from './storage/blob-store.ts';

/** What this node gives a member that opens a stream: a log, a blob, or the whole state for a follower. */
export async function* answerOpen(
  parts: { readonly replica: Replica; readonly reader: LogReader; readonly blobs: BlobStore },
  body: Uint8Array,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const request = decodeOpen(body);
  switch (request.kind) {
    case 'snapshot':
      yield* parts.replica.snapshotBytes();
      return;
    case 'log': {
      const { job, attempt, stream, follow, tail } = request;
      for await (const event of parts.reader.read({ job, attempt }, { stream, follow, tail }, signal)) {
        yield encodeLogEvent(event);
      }
      return;
    }
    case 'blob': {
      const { hash, start, end } = request;
      const { size, stream } = await parts.blobs.get(hash, { start, end });
      yield encodeBlobHead({ size });
      if (end > start) yield* stream;
      return;
    }
    default:
      throw new Rejection('invalidRequest', 'unknown kind of stream');
  }
}
