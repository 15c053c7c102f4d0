import type { VoterPolicy } from './records.ts';
import type { ClusterState } from './state.ts';

/** Odd: an even number survives no more failures than the odd one below it, and needs one more to agree. */
export const VOTER_COUNTS = [1, 3, 5, 7] as const;

const DEFAULT_POLICY: VoterPolicy = { voters: 3, replaceDead: 'automatic' };
/** With more than three voters, since three are often all that there are and come back after a restart. */
const AUTOMATIC_REPLACE_MS = 10 * 60 * 1000;
const AUTOMATIC_ABOVE_VOTERS = 3;

export function voterPolicyOf(state: ClusterState): VoterPolicy {
  return state.cluster?.voterPolicy ?? DEFAULT_POLICY;
}

/** How long a voter may be silent before a learner takes its place, while so many vote; null: for ever. */
export function replaceDeadAfterMs({ replaceDead }: VoterPolicy, voters: number): number | null {
  if (replaceDead === 'never') return null;
  if (replaceDead !== 'automatic') return replaceDead;
  return voters > AUTOMATIC_ABOVE_VOTERS ? AUTOMATIC_REPLACE_MS : null;
}
