import type { Stream } from '@libp2p/interface';
import { Fault } from '../../src/errors.ts';
import { CHUNK_TYPES } from './chunk-frames.ts';
import { decodeError } from './error-codec.ts';
import { BadFrame, FrameDecoder } from './framing.ts';
import type { NetworkLimits } from './limits.ts';
import type { TrafficMeter } from './traffic.ts';

/** Bytes of an error, with room for its words. */
const ERROR_BYTES = 64 * 1024;

/** Chunks as they come from a stream, which is paused while too many wait for the reader. */
export class ChunkReader {
  readonly #stream: Stream;
  readonly #meter: TrafficMeter;
  readonly #limits: NetworkLimits;
  readonly #decoder: FrameDecoder;
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #end: { readonly error: Error | null } | null = null;
  #wake: () => void = () => {};

  constructor(dependencies: { readonly stream: Stream; readonly meter: TrafficMeter }, limits: NetworkLimits) {
    const { stream, meter } = dependencies;
    this.#stream = stream;
    this.#meter = meter;
    this.#limits = limits;
    this.#decoder = new FrameDecoder((frame) => this.#receive(frame), {
      maxFrameBytes: Math.max(limits.chunkBytes, ERROR_BYTES) + 1,
    });
    stream.addEventListener('message', ({ data }) => this.#decode(data));
    // Unlike `remoteCloseWrite` this waits for what a pause kept back.
    stream.addEventListener('end', () => this.#cut(null));
    stream.addEventListener('close', ({ error }) => {
      if (error !== undefined || stream.readBufferLength === 0) this.#cut(error ?? null);
    });
    if (stream.status !== 'open' && stream.readBufferLength === 0) this.#cut(null);
  }

  /** Ends the reading with this error after what has come already. */
  fail(error: Error): void {
    this.#end ??= { error };
    this.#wake();
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#take();
      if (chunk !== null) yield chunk;
      else if (this.#end === null) await new Promise<void>((resolve) => (this.#wake = resolve));
      else if (this.#end.error === null) return;
      else throw this.#end.error;
    }
  }

  #take(): Uint8Array | null {
    const chunk = this.#unread.shift();
    if (chunk === undefined) return null;
    this.#unreadBytes -= chunk.length;
    if (this.#unreadBytes * 2 <= this.#limits.unreadChunkBytes) this.#resume();
    return chunk;
  }

  #decode(data: Uint8Array | Iterable<Uint8Array>): void {
    try {
      for (const chunk of data instanceof Uint8Array ? [data] : data) {
        this.#meter.received(chunk.length);
        this.#decoder.push(chunk);
      }
    } catch (error) {
      if (!(error instanceof BadFrame)) throw error;
      this.fail(new Fault('peerUnreachable', 'the peer sent a malformed frame', { cause: error }));
      this.#stream.abort(error);
    }
    if (this.#unreadBytes > this.#limits.unreadChunkBytes) this.#pause();
  }

  #receive(frame: Uint8Array): void {
    if (this.#end !== null) return;
    const payload = frame.subarray(1);
    switch (frame[0]) {
      case CHUNK_TYPES.chunk:
        this.#unread.push(payload);
        this.#unreadBytes += payload.length;
        this.#wake();
        return;
      case CHUNK_TYPES.end:
        this.#end = { error: null };
        this.#wake();
        return;
      case CHUNK_TYPES.error:
        this.fail(decodeError(payload));
        return;
      default:
        throw new BadFrame('an unknown type of frame');
    }
  }

  /** Without the frame that says so, an end is a cut. */
  #cut(cause: Error | null): void {
    if (this.#end !== null) return;
    this.fail(new Fault('peerUnreachable', 'the stream broke before its end', { cause: cause ?? undefined }));
  }

  #pause(): void {
    if (this.#stream.readStatus === 'readable') this.#stream.pause();
  }

  #resume(): void {
    if (this.#stream.readStatus !== 'paused') return;
    try {
      this.#stream.resume();
    } catch {
      // It tells the other side, which may be gone; what had come was handed out before.
    }
  }
}
