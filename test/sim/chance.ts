import { seeded } from '../raft/support/seeded.ts';

/** All randomness of one run: the same seed gives the same choices. */
export class Chance {
  readonly float: () => number;

  constructor(seed: number) {
    this.float = seeded(seed);
  }

  /** Another source, so that more draws here change nothing there. */
  fork(): Chance {
    return new Chance(Math.floor(this.float() * 2 ** 32));
  }

  /** A whole number in [0, end). */
  below(end: number): number {
    return Math.floor(this.float() * end);
  }

  /** A real number in [from, to). */
  between(from: number, to: number): number {
    return from + this.float() * (to - from);
  }

  /** A whole number in [from, to]. */
  whole(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  happens(probability: number): boolean {
    return this.float() < probability;
  }

  /** Mostly near zero, sometimes far from it: times between independent events. */
  exponential(mean: number): number {
    return -Math.log(1 - this.float()) * mean;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  shuffled<Item>(items: readonly Item[]): Item[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i -= 1) {
      const j = this.below(i + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j] as Item, shuffled[i] as Item];
    }
    return shuffled;
  }
}
