import { dominantPart } from './amounts.ts';
import type { Ledger } from './ledger.ts';
import type { Owner } from './scenario.ts';

export interface FairnessFigures {
  /** For how long all owners had jobs that waited. */
  readonly ms: number;
  /** Jain's index over the dominant shares by weight (Jain et al. 1984): 1 where all get what is theirs; mean, least. */
  readonly jainMean: number;
  readonly jainLeast: number;
  /** The most by which an owner's part of what runs was off from its part by weight. */
  readonly deviation: number;
}

/** Measured while every owner has jobs that wait: only then has each a right to its share. */
export class Fairness {
  readonly #ledger: Ledger;
  readonly #ideal: readonly number[];
  #ms = 0;
  #jainSum = 0;
  #jainLeast = 1;
  #deviation = 0;

  constructor(ledger: Ledger, owners: readonly Owner[]) {
    this.#ledger = ledger;
    this.#ideal = idealShares(owners);
  }

  /** What held for so long. */
  pass(ms: number): void {
    const { takenBy, total, waitingOf } = this.#ledger;
    if (this.#ideal.length < 2 || ms <= 0 || waitingOf.some((waiting) => waiting <= 0)) return;
    const shares = takenBy.map((taken) => dominantPart(taken, total));
    const all = shares.reduce((sum, share) => sum + share, 0);
    if (all === 0) return;
    const jain = jainIndex(shares.map((share, owner) => share / (this.#ideal[owner] as number)));
    this.#ms += ms;
    this.#jainSum += jain * ms;
    this.#jainLeast = Math.min(this.#jainLeast, jain);
    for (const [owner, share] of shares.entries()) {
      this.#deviation = Math.max(this.#deviation, Math.abs(share / all - (this.#ideal[owner] as number)));
    }
  }

  /** Null: there was no time at which all waited. */
  get figures(): FairnessFigures | null {
    if (this.#ms === 0) return null;
    const { jainLeast, deviation } = { jainLeast: this.#jainLeast, deviation: this.#deviation };
    return { ms: this.#ms, jainMean: this.#jainSum / this.#ms, jainLeast, deviation };
  }
}

/** By weight between queues, in equal parts between the projects of one. */
export function idealShares(owners: readonly Owner[]): number[] {
  const projects = Map.groupBy(owners, ({ queue }) => queue);
  const weights = [...projects.values()].reduce((sum, [first]) => sum + (first?.weight ?? 0), 0);
  return owners.map(({ queue, weight }) => weight / weights / (projects.get(queue)?.length ?? 1));
}

/** @param shares by weight */
export function jainIndex(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}
