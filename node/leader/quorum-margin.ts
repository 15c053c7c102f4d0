import { leaveJoint, planChange } from '../../raft/membership.ts';
import type { Configuration, MembershipChange } from '../../raft/types.ts';
import type { NodeId } from '../../src/ids.ts';

export type IsAlive = (voter: NodeId) => boolean;

/**
 * How many more voters may fail before nothing is committed any more; below zero: so many are missing already. In a
 * joint configuration that of its weaker half.
 */
export function quorumMargin({ voters, outgoing }: Configuration, isAlive: IsAlive): number {
  const margins = [voters, outgoing].filter((half) => half.length > 0).map((half) => marginOf(half, isAlive));
  return Math.min(...margins);
}

/** The least margin from here on when a change is made; null when the core would refuse it. */
export function marginAfter(configuration: Configuration, change: MembershipChange, isAlive: IsAlive): number | null {
  const planned = planChange(configuration, change);
  if (planned === null) return null;
  return Math.min(quorumMargin(planned, isAlive), quorumMargin(leaveJoint(planned), isAlive));
}

function marginOf(voters: readonly NodeId[], isAlive: IsAlive): number {
  const majority = Math.floor(voters.length / 2) + 1;
  return voters.filter(isAlive).length - majority;
}
