import { fromPlain, type PlainError, toPlain } from './plain-error.ts';

/** Bytes that may be on their way between the threads in one stream. */
const WINDOW_BYTES = 1024 * 1024;
/** What is gathered before it is sent: fewer and larger messages. */
const GATHER_BYTES = 256 * 1024;
/** A stream that nobody has begun to read for so long is given up: its reader went away before. */
const UNREAD_MS = 60_000;

/** What goes from one thread to the other about a stream. The bytes are moved, not copied. */
export type StreamMessage =
  | { readonly kind: 'chunk'; readonly stream: number; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Of the sender: null when it ended in order. */
  | { readonly kind: 'end'; readonly stream: number; readonly error: PlainError | null }
  /** Of the receiver: it took so many bytes. */
  | { readonly kind: 'taken'; readonly stream: number; readonly bytes: number }
  /** Of the receiver: it wants no more. */
  | { readonly kind: 'leave'; readonly stream: number };

type Post = (message: StreamMessage, transfer: ArrayBuffer[]) => void;

/** The ends of streams at one side of a port. A number names one stream in each direction. */
export class ThreadStreams {
  readonly #post: Post;
  readonly #sending = new Map<number, Sending>();
  readonly #receiving = new Map<number, Receiving>();

  constructor(post: Post) {
    this.#post = post;
  }

  /**
   * Sends what the source yields as fast as the other side takes it.
   * @param source every chunk must have memory of its own, which it loses
   * @returns when it has ended or the other side has left: null; or what the source threw. Never rejects
   */
  async send(stream: number, source: AsyncIterable<Uint8Array<ArrayBuffer>>): Promise<unknown> {
    const sending = new Sending();
    this.#sending.set(stream, sending);
    let failure: unknown = null;
    try {
      for await (const bytes of source) {
        const { length } = bytes;
        if (length > 0) this.#post({ kind: 'chunk', stream, bytes }, [bytes.buffer]);
        if ((await sending.sent(length)) === 'left') return null;
      }
    } catch (error) {
      failure = error;
    } finally {
      this.#sending.delete(stream);
    }
    const error = failure === null ? null : toPlain(failure);
    if (!sending.left) this.#post({ kind: 'end', stream, error }, []);
    return failure;
  }

  /** To be called before the other side sends. Leaving the loop early tells the other side. */
  receive(stream: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    const receiving = new Receiving();
    this.#receiving.set(stream, receiving);
    return this.#take(stream, receiving);
  }

  /** Nobody will read it: whoever sends is told. */
  leave(stream: number): void {
    if (this.#receiving.delete(stream)) this.#post({ kind: 'leave', stream }, []);
  }

  /** Nothing of it will come. */
  forget(stream: number): void {
    this.#receiving.delete(stream);
  }

  onMessage(message: StreamMessage): void {
    switch (message.kind) {
      case 'chunk':
        this.#receiving.get(message.stream)?.push(message.bytes);
        return;
      case 'end':
        this.#receiving.get(message.stream)?.end(message.error === null ? null : fromPlain(message.error));
        return;
      case 'taken':
        this.#sending.get(message.stream)?.taken(message.bytes);
        return;
      case 'leave':
        this.#sending.get(message.stream)?.leave();
        return;
      default:
        message satisfies never;
    }
  }

  /** The other side is gone. */
  fail(error: Error): void {
    for (const receiving of this.#receiving.values()) receiving.end(error);
    for (const sending of this.#sending.values()) sending.leave();
  }

  async *#take(stream: number, receiving: Receiving): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    try {
      for (;;) {
        const bytes = await receiving.next();
        if (bytes === null) return;
        this.#post({ kind: 'taken', stream, bytes: bytes.length }, []);
        yield bytes;
      }
    } finally {
      if (this.#receiving.delete(stream) && !receiving.ended) this.#post({ kind: 'leave', stream }, []);
    }
  }
}

class Sending {
  left = false;
  #underWay = 0;
  #isRead = false;
  #wake: () => void = () => {};

  async sent(bytes: number): Promise<'going on' | 'left'> {
    this.#underWay += bytes;
    while (!this.left && this.#underWay >= WINDOW_BYTES) await this.#room();
    return this.left ? 'left' : 'going on';
  }

  taken(bytes: number): void {
    this.#isRead = true;
    this.#underWay -= bytes;
    this.#wake();
  }

  leave(): void {
    this.left = true;
    this.#wake();
  }

  async #room(): Promise<void> {
    const timer = this.#isRead ? undefined : setTimeout(() => this.leave(), UNREAD_MS);
    await new Promise<void>((resolve) => (this.#wake = resolve));
    clearTimeout(timer);
  }
}

class Receiving {
  readonly #chunks: Uint8Array<ArrayBuffer>[] = [];
  #end: { readonly error: Error | null } | null = null;
  #wake: () => void = () => {};

  get ended(): boolean {
    return this.#end !== null;
  }

  push(bytes: Uint8Array<ArrayBuffer>): void {
    this.#chunks.push(bytes);
    this.#wake();
  }

  end(error: Error | null): void {
    this.#end ??= { error };
    this.#wake();
  }

  /** Null at the end. */
  async next(): Promise<Uint8Array<ArrayBuffer> | null> {
    for (;;) {
      const bytes = this.#chunks.shift();
      if (bytes !== undefined) return bytes;
      if (this.#end?.error) throw this.#end.error;
      if (this.#end !== null) return null;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** The same bytes in larger chunks with memory of their own. What has come goes on when the source fails or ends. */
export async function* gathered(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  let buffer = new Uint8Array(new ArrayBuffer(GATHER_BYTES));
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      const taken = Math.min(buffer.length - filled, chunk.length - at);
      buffer.set(chunk.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled < buffer.length) continue;
      yield buffer;
      buffer = new Uint8Array(new ArrayBuffer(GATHER_BYTES));
      filled = 0;
    }
  }
  if (filled > 0) yield buffer.slice(0, filled);
}
