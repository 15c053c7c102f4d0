import { type BlobName, formatName } from '../../src/cas/digest.ts';

/** Many who put the same blob at once would all write it: those behind wait a while for the first. */
export class SharedPuts {
  readonly #waitMs: number;
  readonly #running = new Map<string, Promise<void>>();

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  async waitForAnother(name: BlobName): Promise<void> {
    const other = this.#running.get(formatName(name));
    if (other === undefined) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#waitMs);
    await Promise.race([other, late]);
    clearTimeout(timer);
  }

  async run<Result>(name: BlobName, put: () => Promise<Result>): Promise<Result> {
    const key = formatName(name);
    const { promise, resolve } = Promise.withResolvers<void>();
    if (!this.#running.has(key)) this.#running.set(key, promise);
    try {
      return await put();
    } finally {
      if (this.#running.get(key) === promise) this.#running.delete(key);
      resolve();
    }
  }
}
