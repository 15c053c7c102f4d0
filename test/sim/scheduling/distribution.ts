import type { Chance } from '../chance.ts';

/** How long jobs of a class take. Heavy tails are cut, so that one draw does not decide a run. */
export type Distribution =
  | { readonly kind: 'fixed'; readonly ms: number }
  | { readonly kind: 'exponential'; readonly meanMs: number; readonly mostMs: number }
  /** `sigma` of the logarithm: the mean is the median times e^(sigma²/2). */
  | { readonly kind: 'lognormal'; readonly medianMs: number; readonly sigma: number; readonly mostMs: number }
  /** The smaller `alpha`, the heavier the tail; below 2 the variance has no bound but `mostMs`. */
  | { readonly kind: 'pareto'; readonly leastMs: number; readonly alpha: number; readonly mostMs: number };

/** @returns whole milliseconds, at least one */
export function draw(distribution: Distribution, chance: Chance): number {
  return Math.max(1, Math.round(drawReal(distribution, chance)));
}

function drawReal(distribution: Distribution, chance: Chance): number {
  switch (distribution.kind) {
    case 'fixed':
      return distribution.ms;
    case 'exponential':
      return Math.min(chance.exponential(distribution.meanMs), distribution.mostMs);
    case 'lognormal':
      return Math.min(distribution.medianMs * Math.exp(distribution.sigma * normal(chance)), distribution.mostMs);
    case 'pareto':
      return Math.min(distribution.leastMs / (1 - chance.float()) ** (1 / distribution.alpha), distribution.mostMs);
  }
}

/** Box and Muller 1958. */
function normal(chance: Chance): number {
  return Math.sqrt(-2 * Math.log(1 - chance.float())) * Math.cos(2 * Math.PI * chance.float());
}
