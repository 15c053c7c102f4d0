import { unreachable } from '../src/errors.ts';
import { decodeOpen, encodeLogOffsets, encodeLogPiece } from './open-messages.ts';
import type { Replica } from './replica/replica.ts';
import type { LogReader } from './runner/ports.ts';

/** What this node gives a member that opens a stream: a log, or the whole state for a follower. */
export async function* answerOpen(
  parts: { readonly replica: Replica; readonly reader: LogReader },
  body: Uint8Array,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const request = decodeOpen(body);
  switch (request.kind) {
    case 'snapshot':
      yield* parts.replica.snapshotBytes();
      return;
    case 'log': {
      const { job, attempt, stream, follow, from } = request;
      let bytesLeft = request.maxBytes ?? Infinity;
      for await (const piece of parts.reader.read({ job, attempt }, { stream, follow, tail: null, from }, signal)) {
        yield encodeLogPiece(piece);
        bytesLeft -= piece.data.length;
        if (bytesLeft <= 0) return;
      }
      return;
    }
    case 'logTail': {
      const { job, attempt, lines } = request;
      yield encodeLogOffsets(await parts.reader.tail({ job, attempt }, lines));
      return;
    }
    default:
      return unreachable(request);
  }
}
