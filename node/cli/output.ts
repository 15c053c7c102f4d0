import type { Writable } from 'node:stream';
import { styleText } from 'node:util';

export type Style = 'plain' | 'bold' | 'dim' | 'red' | 'yellow' | 'inverse';

type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/**
 * One of the program's two output streams. A reader that went away (`| head`) is no error: the rest is dropped. Anything
 * else that goes wrong with it, as a full disk, is thrown by what is written next.
 */
export class Output {
  readonly #stream: OutputStream;
  #closed = false;
  #failure: Error | null = null;

  /** @param name for people, told with what goes wrong */
  constructor(stream: OutputStream, name = 'the output') {
    this.#stream = stream;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') this.#closed = true;
      else this.#failure ??= Object.assign(error, { path: name });
    });
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  /** Of a terminal; null for anything else, where lines have no end. */
  get columns(): number | null {
    return this.isTerminal ? (this.#stream.columns ?? null) : null;
  }

  /** Of a terminal. */
  get rows(): number | null {
    return this.isTerminal ? (this.#stream.rows ?? null) : null;
  }

  /** Nobody reads any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** As it is where there is no terminal, or where NO_COLOR asks for that. */
  paint(style: Style, text: string): string {
    return style === 'plain' ? text : styleText(style, text, { stream: this.#stream });
  }

  /** Returns what undoes it. */
  onResize(listener: () => void): () => void {
    this.#stream.on('resize', listener);
    return () => void this.#stream.off('resize', listener);
  }

  /** Resolves when more may be written. @throws the system's error when the bytes cannot be written */
  async write(data: string | Uint8Array): Promise<void> {
    this.#expectWhole();
    if (this.#closed || this.#stream.write(data)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = () => resolve();
    for (const event of ['drain', 'close', 'error']) this.#stream.once(event, done);
    await promise;
    for (const event of ['drain', 'close', 'error']) this.#stream.off(event, done);
    this.#expectWhole();
  }

  line(text: string): Promise<void> {
    return this.write(`${text}\n`);
  }

  /** One value in one line, for programs. */
  json(value: unknown): Promise<void> {
    return this.line(JSON.stringify(value));
  }

  /** Resolves when everything is handed to the system. @throws the system's error when it could not be */
  async flush(): Promise<void> {
    this.#expectWhole();
    if (this.#closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stream.write('', () => resolve());
    await promise;
    this.#expectWhole();
  }

  #expectWhole(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}
