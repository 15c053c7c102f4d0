/** A frame on a stream: its length as u32 big endian, then its bytes. An empty frame is malformed. */
export const FRAME_HEADER_BYTES = 4;

/** Frames at least this large are not copied to be joined with their neighbours. */
const LARGE_FRAME_BYTES = 16 * 1024;

export class BadFrame extends Error {
  override readonly name = 'BadFrame';
}

/** Cuts frames from chunks as they come. After a throw it must not be used again. */
export class FrameDecoder {
  readonly #maxFrameBytes: number;
  readonly #onFrame: (frame: Uint8Array) => void;
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  #frame: Uint8Array | null = null;
  #frameBytes = 0;

  /** @param onFrame gets each frame in bytes of its own, not shared with anyone */
  constructor(onFrame: (frame: Uint8Array) => void, options: { readonly maxFrameBytes: number }) {
    this.#onFrame = onFrame;
    this.#maxFrameBytes = options.maxFrameBytes;
  }

  /** Bytes held of a frame that is not complete. */
  get partialBytes(): number {
    return this.#headerBytes + this.#frameBytes;
  }

  /** @throws BadFrame */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      at += this.#frame === null ? this.#takeHeader(chunk, at) : this.#takeBody(this.#frame, chunk, at);
    }
  }

  #takeHeader(chunk: Uint8Array, from: number): number {
    const taken = Math.min(FRAME_HEADER_BYTES - this.#headerBytes, chunk.length - from);
    this.#header.set(chunk.subarray(from, from + taken), this.#headerBytes);
    this.#headerBytes += taken;
    if (this.#headerBytes === FRAME_HEADER_BYTES) this.#startFrame(this.#header.readUInt32BE(0));
    return taken;
  }

  #startFrame(length: number): void {
    if (length === 0) throw new BadFrame('an empty frame');
    if (length > this.#maxFrameBytes) {
      throw new BadFrame(`a frame of ${length} bytes where ${this.#maxFrameBytes} are allowed`);
    }
    // Not from Node's pool: a frame that is kept for long must not keep its neighbours.
    this.#frame = Buffer.allocUnsafeSlow(length);
    this.#frameBytes = 0;
  }

  #takeBody(frame: Uint8Array, chunk: Uint8Array, from: number): number {
    const taken = Math.min(frame.length - this.#frameBytes, chunk.length - from);
    frame.set(chunk.subarray(from, from + taken), this.#frameBytes);
    this.#frameBytes += taken;
    if (this.#frameBytes === frame.length) {
      this.#frame = null;
      this.#headerBytes = 0;
      this.#frameBytes = 0;
      this.#onFrame(frame);
    }
    return taken;
  }
}

/** As few writes as pay: small frames are copied together, large ones are taken as they are. */
export function joinFrames(frames: readonly Uint8Array[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let from = 0;
  while (from < frames.length) {
    let to = from;
    let bytes = 0;
    while (to < frames.length && (frames[to]?.length ?? 0) < LARGE_FRAME_BYTES) {
      bytes += FRAME_HEADER_BYTES + (frames[to]?.length ?? 0);
      to += 1;
    }
    if (to > from) parts.push(copyTogether(frames, from, to, bytes));
    const large = frames[to];
    if (large !== undefined) parts.push(frameHeader(large.length), large);
    from = to + 1;
  }
  return parts;
}

function copyTogether(frames: readonly Uint8Array[], from: number, to: number, bytes: number): Uint8Array {
  const joined = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (let position = from; position < to; position += 1) {
    const frame = frames[position];
    if (frame === undefined) break;
    at = joined.writeUInt32BE(frame.length, at);
    joined.set(frame, at);
    at += frame.length;
  }
  return joined;
}

function frameHeader(length: number): Uint8Array {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeUInt32BE(length, 0);
  return header;
}
