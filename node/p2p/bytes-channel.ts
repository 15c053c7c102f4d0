import type { Connection, Stream } from '@libp2p/interface';
import type { Logger } from 'pino';
import { Fault, Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import { ChunkReader } from './chunk-reader.ts';
import { CHUNK_TYPES, encodeChunk } from './chunk-frames.ts';
import { encodeError } from './error-codec.ts';
import { asError } from './frame-stream.ts';
import { BadFrame, FrameDecoder } from './framing.ts';
import type { NetworkLimits } from './limits.ts';
import type { TrafficMeter } from './traffic.ts';

export type OpenHandler = (from: NodeId, body: Uint8Array, signal: AbortSignal) => AsyncIterable<Uint8Array>;

/** The asking end: one stream for one request. @throws Fault `peerUnreachable`; whatever the handler threw */
export async function* readBytes(
  dependencies: { readonly connection: Connection; readonly protocol: string; readonly meter: TrafficMeter },
  body: Uint8Array,
  signal: AbortSignal,
  limits: NetworkLimits,
): AsyncGenerator<Uint8Array> {
  const { connection, protocol, meter } = dependencies;
  if (body.length > limits.openRequestBytes) {
    throw new Rejection('tooLarge', `the request is larger than ${limits.openRequestBytes} bytes`);
  }
  const stream = await openStream(connection, protocol, signal, limits);
  const reader = new ChunkReader({ stream, meter }, limits);
  const abort = (): void => reader.fail(asError(signal.reason));
  signal.addEventListener('abort', abort, { once: true });
  try {
    if (signal.aborted) abort();
    const request = encodeChunk(CHUNK_TYPES.request, body);
    if (stream.status === 'open') stream.send(request);
    meter.sent(request.length);
    yield* reader.chunks();
    await stream.close({ signal: AbortSignal.timeout(limits.closeTimeoutMs) });
  } finally {
    signal.removeEventListener('abort', abort);
    // Does nothing to one that has ended in order.
    stream.abort(new Error('the reader went away'));
  }
}

async function openStream(
  connection: Connection,
  protocol: string,
  signal: AbortSignal,
  limits: NetworkLimits,
): Promise<Stream> {
  try {
    const timeout = AbortSignal.timeout(limits.streamOpenTimeoutMs);
    const options = { signal: AbortSignal.any([signal, timeout]), maxOutboundStreams: limits.openStreamsPerPeer };
    return await connection.newStream(protocol, options);
  } catch (error) {
    signal.throwIfAborted();
    throw new Fault('peerUnreachable', 'no stream could be opened at the peer', { cause: error });
  }
}

/** The answering end: reads the request, then sends what the handler yields as fast as the other end takes it. */
export class BytesResponder {
  readonly #from: NodeId;
  readonly #stream: Stream;
  readonly #handler: OpenHandler;
  readonly #logger: Logger;
  readonly #meter: TrafficMeter;
  readonly #limits: NetworkLimits;
  readonly #ended = new AbortController();

  constructor(
    dependencies: {
      readonly from: NodeId;
      readonly stream: Stream;
      readonly handler: OpenHandler;
      readonly logger: Logger;
      readonly meter: TrafficMeter;
    },
    limits: NetworkLimits,
  ) {
    this.#from = dependencies.from;
    this.#stream = dependencies.stream;
    this.#handler = dependencies.handler;
    this.#logger = dependencies.logger;
    this.#meter = dependencies.meter;
    this.#limits = limits;
  }

  start(): void {
    const stream = this.#stream;
    let asked = false;
    const decoder = new FrameDecoder(
      (frame) => {
        if (asked || frame[0] !== CHUNK_TYPES.request) throw new BadFrame('not the one request of the stream');
        asked = true;
        void this.#answer(frame.subarray(1));
      },
      { maxFrameBytes: this.#limits.openRequestBytes + 1 },
    );
    stream.addEventListener('close', () => this.#ended.abort(new Error('the reader went away')));
    stream.addEventListener('remoteCloseWrite', () => {
      if (!asked) stream.abort(new BadFrame('the stream ended before its request'));
    });
    stream.addEventListener('message', ({ data }) => {
      try {
        for (const chunk of data instanceof Uint8Array ? [data] : data) decoder.push(chunk);
      } catch (error) {
        if (!(error instanceof BadFrame)) throw error;
        this.#logger.warn({ from: this.#from, reason: error.message }, 'closed a stream for a malformed frame');
        stream.abort(error);
      }
    });
  }

  async #answer(body: Uint8Array): Promise<void> {
    const signal = this.#ended.signal;
    try {
      for await (const bytes of this.#handler(this.#from, body, signal)) {
        await this.#sendChunks(bytes);
        if (signal.aborted) return;
      }
      await this.#finish(encodeChunk(CHUNK_TYPES.end));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Rejection || error instanceof Fault)) {
        this.#logger.error({ from: this.#from, err: error }, 'the handler of a stream failed');
      }
      await this.#finish(encodeChunk(CHUNK_TYPES.error, encodeError(error)));
    }
  }

  async #sendChunks(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += this.#limits.chunkBytes) {
      if (this.#stream.status !== 'open') return;
      const frame = encodeChunk(CHUNK_TYPES.chunk, bytes.subarray(at, at + this.#limits.chunkBytes));
      this.#stream.send(frame);
      this.#meter.sent(frame.length);
      await this.#drained();
    }
  }

  /** libp2p's own `onDrain` answers at once for good after it has answered the first time. */
  async #drained(): Promise<void> {
    const stream = this.#stream;
    while (stream.writableNeedsDrain && stream.status === 'open') {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          stream.removeEventListener('drain', done);
          stream.removeEventListener('close', done);
          resolve();
        };
        stream.addEventListener('drain', done);
        stream.addEventListener('close', done);
      });
      // What drained is written in a microtask, which may fill the stream again.
      await Promise.resolve();
    }
  }

  async #finish(last: Uint8Array): Promise<void> {
    try {
      if (this.#stream.status !== 'open') return;
      this.#stream.send(last);
      // No time limit: the reader may be slow, and the stream ends with its connection.
      await this.#stream.close({ signal: this.#ended.signal });
    } catch (error) {
      this.#stream.abort(asError(error));
    }
  }
}
