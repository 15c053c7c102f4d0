import type { BlobName } from '../../src/cas/digest.ts';
import { Fault } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import type { ByteRange } from './blob-bytes.ts';
import type { Pin } from './blob-index.ts';
import { decodeHead, decodeHoldings, decodeProgress, encodeBulk, type Holding, NAMES_MAX } from './bulk-messages.ts';

/** What asks a member on the bulk network; `BulkNetwork` is one. */
export interface BulkOpener {
  open(to: NodeId, body: Uint8Array, signal: AbortSignal, stallMs: number): AsyncIterable<Uint8Array>;
}

export interface RemoteBlob {
  readonly size: number;
  readonly stream: AsyncIterable<Uint8Array<ArrayBuffer>>;
}

const NEVER = new AbortController().signal;

/** The questions to other members. Everything throws what they answered, or Fault `peerUnreachable`, `timedOut`. */
export class Peers {
  readonly #network: BulkOpener;
  readonly #stallMs: number;

  constructor(network: BulkOpener, stallMs: number) {
    this.#network = network;
    this.#stallMs = stallMs;
  }

  /** The stream has to be read or left. */
  async read(from: NodeId, name: BlobName, { start, end }: ByteRange): Promise<RemoteBlob> {
    const leave = new AbortController();
    const request = encodeBulk({ kind: 'read', name, start, end });
    const chunks = this.#network.open(from, request, leave.signal, this.#stallMs)[Symbol.asyncIterator]();
    const first = await chunks.next();
    if (first.done === true) throw cutShort();
    return { size: decodeHead(first.value).size, stream: rest(chunks, leave) };
  }

  /** In the order of the names. @param keepMs what is there must stay for so long */
  async have(at: NodeId, names: readonly BlobName[], keepMs: number): Promise<readonly Holding[]> {
    const found: Holding[] = [];
    for (let from = 0; from < names.length; from += NAMES_MAX) {
      const some = names.slice(from, from + NAMES_MAX);
      const request = encodeBulk({ kind: 'have', names: some, keepMs });
      const told = await this.#last(at, request, decodeHoldings);
      found.push(...some.map((_, position) => told[position] ?? 'none'));
    }
    return found;
  }

  /** Resolves once that member has it, durable. */
  async take(at: NodeId, name: BlobName, size: number, pins: readonly Pin[]): Promise<void> {
    const request = encodeBulk({ kind: 'take', name, size, pins });
    if ((await this.#last(at, request, decodeProgress)) !== 'durable') throw cutShort();
  }

  async #last<Answer>(at: NodeId, request: Uint8Array, decode: (bytes: Uint8Array) => Answer): Promise<Answer> {
    let last: Answer | null = null;
    for await (const chunk of this.#network.open(at, request, NEVER, this.#stallMs)) last = decode(chunk);
    if (last === null) throw cutShort();
    return last;
  }
}

function cutShort(): Fault {
  return new Fault('peerUnreachable', 'the answer of the member is cut short');
}

/** Chunks come in memory of their own, so they can be moved on to another thread. */
async function* rest(
  chunks: AsyncIterator<Uint8Array>,
  leave: AbortController,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  try {
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
      yield next.value as Uint8Array<ArrayBuffer>;
    }
  } finally {
    leave.abort(new Fault('peerUnreachable', 'the reader went away'));
  }
}
