import type { Mutation } from '../../support/mutant.ts';

/** A mistake that others made or that anyone could make, as a change of `raft/`, and the script that must find it. */
export interface Mistake extends Mutation {
  readonly what: string;
  readonly script: string;
}
