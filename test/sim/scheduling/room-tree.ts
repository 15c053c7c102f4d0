import { type Amounts, WIDTH } from './amounts.ts';

/**
 * What runners have free, so that the first one which holds a demand is found among ten thousand without looking at
 * each: a binary tree whose nodes know the most that is free below them, by resource.
 */
export class RoomTree {
  readonly #leaves: number;
  readonly #most: Float64Array;

  constructor(free: readonly Amounts[]) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(free.length, 1)));
    this.#most = new Float64Array(2 * this.#leaves * WIDTH).fill(-1);
    for (const [at, amounts] of free.entries()) this.#most.set(amounts, (this.#leaves + at) * WIDTH);
    for (let node = this.#leaves - 1; node >= 1; node -= 1) this.#sum(node);
  }

  /** @param sign 1 to give back, -1 to take */
  change(at: number, demand: Amounts, sign: 1 | -1): void {
    const leaf = (this.#leaves + at) * WIDTH;
    for (let i = 0; i < WIDTH; i += 1)
      this.#most[leaf + i] = (this.#most[leaf + i] as number) + sign * (demand[i] as number);
    this.#sumAbove(this.#leaves + at);
  }

  set(at: number, free: Amounts): void {
    this.#most.set(free, (this.#leaves + at) * WIDTH);
    this.#sumAbove(this.#leaves + at);
  }

  /** Nothing fits there. */
  close(at: number): void {
    this.#most.fill(-1, (this.#leaves + at) * WIDTH, (this.#leaves + at + 1) * WIDTH);
    this.#sumAbove(this.#leaves + at);
  }

  /** The first that holds it and is allowed; -1: none. */
  first(demand: Amounts, isAllowed: (at: number) => boolean, node = 1): number {
    if (!this.#holds(node, demand)) return -1;
    if (node >= this.#leaves) return isAllowed(node - this.#leaves) ? node - this.#leaves : -1;
    const left = this.first(demand, isAllowed, 2 * node);
    return left === -1 ? this.first(demand, isAllowed, 2 * node + 1) : left;
  }

  #holds(node: number, demand: Amounts): boolean {
    for (let i = 0; i < WIDTH; i += 1)
      if ((demand[i] as number) > (this.#most[node * WIDTH + i] as number)) return false;
    return true;
  }

  #sumAbove(leaf: number): void {
    for (let node = leaf >> 1; node >= 1; node >>= 1) this.#sum(node);
  }

  #sum(node: number): void {
    const most = this.#most;
    const [at, left, right] = [node * WIDTH, 2 * node * WIDTH, (2 * node + 1) * WIDTH];
    for (let i = 0; i < WIDTH; i += 1) most[at + i] = Math.max(most[left + i] as number, most[right + i] as number);
  }
}
