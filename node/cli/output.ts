import type { Writable } from 'node:stream';

/** One of the program's two output streams. A reader that went away (`| head`) is no error: the rest is dropped. */
export class Output {
  readonly #stream: Writable & { readonly isTTY?: boolean };
  #closed = false;

  constructor(stream: Writable & { readonly isTTY?: boolean }) {
    this.#stream = stream;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      this.#closed = true;
    });
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  /** Nobody reads any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Resolves when more may be written. */
  async write(data: string | Uint8Array): Promise<void> {
    if (this.#closed || this.#stream.write(data)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = () => resolve();
    for (const event of ['drain', 'close', 'error']) this.#stream.once(event, done);
    await promise;
    for (const event of ['drain', 'close', 'error']) this.#stream.off(event, done);
  }

  line(text: string): Promise<void> {
    return this.write(`${text}\n`);
  }

  /** One value in one line, for programs. */
  json(value: unknown): Promise<void> {
    return this.line(JSON.stringify(value));
  }

  /** Resolves when everything is handed to the system. */
  async flush(): Promise<void> {
    if (this.#closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stream.write('', () => resolve());
    await promise;
  }
}
