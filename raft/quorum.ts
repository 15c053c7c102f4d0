import type { Configuration, NodeId } from './types.ts';

/**
 * The greatest value that a quorum has reached: a majority of the voters and, in a joint configuration, a majority of
 * the old voters as well (paper §5.3, §6). Minus infinity when nobody votes.
 */
export function reachedByQuorum(configuration: Configuration, valueOf: (voter: NodeId) => number): number {
  const reached = reachedByMajority(configuration.voters, valueOf);
  if (configuration.outgoing.length === 0) return reached;
  return Math.min(reached, reachedByMajority(configuration.outgoing, valueOf));
}

export type ElectionResult = 'won' | 'lost' | 'pending';

/** `votes` holds what each node answered: true for granted. Votes of others than voters do not count. */
export function countVotes(configuration: Configuration, votes: ReadonlyMap<NodeId, boolean>): ElectionResult {
  const results = [countHalf(configuration.voters, votes)];
  if (configuration.outgoing.length > 0) results.push(countHalf(configuration.outgoing, votes));
  if (results.includes('lost')) return 'lost';
  return results.includes('pending') ? 'pending' : 'won';
}

function reachedByMajority(voters: readonly NodeId[], valueOf: (voter: NodeId) => number): number {
  const values = voters.map(valueOf).toSorted((left, right) => right - left);
  return values[Math.floor(values.length / 2)] ?? Number.NEGATIVE_INFINITY;
}

function countHalf(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): ElectionResult {
  const majority = Math.floor(voters.length / 2) + 1;
  const granted = voters.filter((voter) => votes.get(voter) === true).length;
  if (granted >= majority) return 'won';
  const refused = voters.filter((voter) => votes.get(voter) === false).length;
  return refused > voters.length - majority ? 'lost' : 'pending';
}
