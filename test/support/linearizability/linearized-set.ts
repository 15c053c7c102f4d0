/** Which operations were linearized, one bit each. */
export class LinearizedSet {
  readonly #bytes: Buffer;

  constructor(size: number) {
    this.#bytes = Buffer.alloc(Math.ceil(size / 8));
  }

  add(index: number): void {
    this.#flip(index);
  }

  remove(index: number): void {
    this.#flip(index);
  }

  /** Equal for equal sets and only for them, among those of one size. */
  key(): string {
    return this.#bytes.toString('latin1');
  }

  #flip(index: number): void {
    const byte = index >> 3;
    this.#bytes[byte] = (this.#bytes[byte] ?? 0) ^ (1 << (index & 7));
  }
}

/** Lowe's pruning: what was linearized and the state that came of it, each pair explored once. */
export class SeenConfigurations {
  readonly #seen = new Set<string>();

  /** Whether the pair is new. */
  remember(set: LinearizedSet, stateKey: string): boolean {
    const before = this.#seen.size;
    this.#seen.add(set.key() + stateKey);
    return this.#seen.size > before;
  }
}
