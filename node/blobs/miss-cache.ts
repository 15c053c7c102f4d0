import { type BlobName, formatName } from '../../src/cas/digest.ts';

/** Remembers for a short while what is nowhere, so that many who look for it do not all ask everybody. */
export class MissCache {
  readonly #options: { readonly forMs: number; readonly size: number };
  readonly #until = new Map<string, number>();

  constructor(options: { readonly forMs: number; readonly size: number }) {
    this.#options = options;
  }

  add(name: BlobName, now: number): void {
    const { forMs, size } = this.#options;
    // The oldest is the first that was added.
    for (const key of this.#until.keys()) {
      if (this.#until.size < size) break;
      this.#until.delete(key);
    }
    this.#until.set(formatName(name), now + forMs);
  }

  has(name: BlobName, now: number): boolean {
    const key = formatName(name);
    if ((this.#until.get(key) ?? 0) > now) return true;
    this.#until.delete(key);
    return false;
  }

  remove(name: BlobName): void {
    this.#until.delete(formatName(name));
  }

  clear(): void {
    this.#until.clear();
  }
}
