import type { Stream } from '@libp2p/interface';
import { BadFrame, FRAME_HEADER_BYTES, FrameDecoder, joinFrames } from './framing.ts';
import type { TrafficMeter } from './traffic.ts';

export interface FrameStreamDependencies {
  readonly stream: Stream;
  readonly meter: TrafficMeter;
  readonly onFrame: (frame: Uint8Array) => void;
  /** Called once. `error` is null when the other side closed in order. */
  readonly onClose: (error: Error | null) => void;
}

export interface FrameStreamOptions {
  readonly maxFrameBytes: number;
  /** Bytes that may wait here because the other side or the network does not take them. */
  readonly maxBufferedBytes: number;
}

/**
 * Frames over a libp2p stream. Sending never waits: frames of one turn of the event loop leave together, and what the
 * stream does not take yet waits here up to a bound.
 */
export class FrameStream {
  readonly stream: Stream;
  readonly #meter: TrafficMeter;
  readonly #onClose: FrameStreamDependencies['onClose'];
  readonly #options: FrameStreamOptions;
  readonly #decoder: FrameDecoder;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #flush: 'none' | 'planned' | 'blocked' = 'none';
  #closed = false;

  constructor(dependencies: FrameStreamDependencies, options: FrameStreamOptions) {
    this.stream = dependencies.stream;
    this.#meter = dependencies.meter;
    this.#onClose = dependencies.onClose;
    this.#options = options;
    this.#decoder = new FrameDecoder((frame) => this.#closed || dependencies.onFrame(frame), options);
    this.stream.addEventListener('message', (event) => this.#receive(event.data));
    this.stream.addEventListener('drain', () => this.#unblock());
    this.stream.addEventListener('remoteCloseWrite', () => this.#remoteClosed());
    this.stream.addEventListener('close', (event) => this.#finish(event.error ?? null));
    // It may have ended between its opening and here.
    if (this.stream.status !== 'open') queueMicrotask(() => this.#finish(new Error(`stream ${this.stream.status}`)));
  }

  get open(): boolean {
    return !this.#closed;
  }

  get bufferedBytes(): number {
    return this.#waitingBytes + this.stream.writeBufferLength;
  }

  send(frame: Uint8Array): 'sent' | 'closed' | 'full' | 'tooLarge' {
    if (this.#closed) return 'closed';
    if (frame.length > this.#options.maxFrameBytes || frame.length === 0) return 'tooLarge';
    const bytes = frame.length + FRAME_HEADER_BYTES;
    if (this.bufferedBytes + bytes > this.#options.maxBufferedBytes) return 'full';
    this.#waiting.push(frame);
    this.#waitingBytes += bytes;
    if (this.#flush === 'none') this.#planFlush();
    return 'sent';
  }

  /** Ends at once and tells the other side. */
  abort(reason: Error): void {
    this.stream.abort(reason);
    this.#finish(reason);
  }

  /** Sends what waits, then ends in order; never waits long. */
  async close(signal: AbortSignal): Promise<void> {
    if (this.#closed) return;
    this.#write();
    try {
      await this.stream.close({ signal });
    } catch (error) {
      this.stream.abort(asError(error));
    }
    this.#finish(null);
  }

  /** After all promise callbacks of this turn, before the event loop goes on: answers made by them leave together. */
  #planFlush(): void {
    this.#flush = 'planned';
    queueMicrotask(() => process.nextTick(() => this.#write()));
  }

  #write(): void {
    if (this.#closed || this.#waiting.length === 0) {
      this.#flush = 'none';
      return;
    }
    const frames = this.#waiting;
    this.#waiting = [];
    this.#meter.sent(this.#waitingBytes);
    this.#waitingBytes = 0;
    try {
      for (const part of joinFrames(frames)) this.stream.send(part);
      this.#flush = this.stream.writableNeedsDrain ? 'blocked' : 'none';
    } catch (error) {
      this.abort(asError(error));
    }
  }

  #unblock(): void {
    if (this.#flush === 'blocked') this.#planFlush();
  }

  #receive(data: Uint8Array | Iterable<Uint8Array>): void {
    try {
      if (data instanceof Uint8Array) this.#decode(data);
      else for (const chunk of data) this.#decode(chunk);
    } catch (error) {
      if (!(error instanceof BadFrame)) throw error;
      this.abort(error);
    }
  }

  #decode(chunk: Uint8Array): void {
    this.#meter.received(chunk.length);
    this.#decoder.push(chunk);
  }

  /** These streams live until both sides end: one that is half closed can no longer ask or answer. */
  #remoteClosed(): void {
    const reason = this.#decoder.partialBytes > 0 ? new Error('the stream ended inside a frame') : null;
    if (reason === null) void this.stream.close().catch((error) => this.stream.abort(asError(error)));
    else this.stream.abort(reason);
    this.#finish(reason);
  }

  #finish(error: Error | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#onClose(error);
  }
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
