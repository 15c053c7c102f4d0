import { type BlobName, formatName } from '../../src/cas/digest.ts';

/** One change of a blob at a time; changes of others go beside it. */
export class NameLocks {
  readonly #tails = new Map<string, Promise<unknown>>();

  async run<Result>(name: BlobName, work: () => Promise<Result>): Promise<Result> {
    const key = formatName(name);
    const before = this.#tails.get(key) ?? Promise.resolve();
    const mine = before.catch(() => {}).then(work);
    this.#tails.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(key) === mine) this.#tails.delete(key);
    }
  }
}
