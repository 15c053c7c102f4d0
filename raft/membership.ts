import { unreachable } from './assert.ts';
import type { Configuration, MembershipChange, NodeId } from './types.ts';

export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.length > 0;
}

/** In a joint configuration the voters of both halves vote (paper §6). */
export function isVoter(configuration: Configuration, node: NodeId): boolean {
  return configuration.voters.includes(node) || configuration.outgoing.includes(node);
}

/** Everyone who receives the log. `learnersNext` are among the outgoing voters. */
export function membersOf({ voters, outgoing, learners }: Configuration): Set<NodeId> {
  return new Set([...voters, ...outgoing, ...learners]);
}

export function isOnlyVoter({ voters, outgoing }: Configuration, node: NodeId): boolean {
  return outgoing.length === 0 && voters.length === 1 && voters[0] === node;
}

interface Wanted {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
}

/**
 * The configuration to append for a change: the wanted one itself when at most one voter differs, since any two
 * majorities then overlap (dissertation §4.3), else the joint one that leads there (paper §6). Null when the change
 * makes no sense, would change nothing or would leave no voter. `current` must not be joint.
 */
export function planChange(current: Configuration, change: MembershipChange): Configuration | null {
  const wanted = wantedBy(current, change);
  if (wanted === null || wanted.voters.length === 0 || !isSound(wanted)) return null;
  if (sameNodes(wanted.voters, current.voters) && sameNodes(wanted.learners, current.learners)) return null;
  return votersChanged(current.voters, wanted.voters) <= 1 ? simple(wanted) : joint(current, wanted);
}

/** Where a joint configuration leads once it is committed. */
export function leaveJoint({ voters, learners, learnersNext }: Configuration): Configuration {
  return simple({ voters, learners: [...learners, ...learnersNext] });
}

function wantedBy({ voters, learners }: Configuration, change: MembershipChange): Wanted | null {
  switch (change.kind) {
    case 'addLearner':
      if (voters.includes(change.node)) return null;
      return { voters, learners: [...without(learners, change.node), change.node] };
    case 'promote':
      if (!learners.includes(change.node)) return null;
      return { voters: [...voters, change.node], learners: without(learners, change.node) };
    case 'demote':
      if (!voters.includes(change.node)) return null;
      return { voters: without(voters, change.node), learners: [...learners, change.node] };
    case 'remove':
      return { voters: without(voters, change.node), learners: without(learners, change.node) };
    case 'replace':
      return { voters: change.voters, learners: change.learners };
    default:
      return unreachable(change);
  }
}

function isSound({ voters, learners }: Wanted): boolean {
  return new Set([...voters, ...learners]).size === voters.length + learners.length;
}

function joint(current: Configuration, wanted: Wanted): Configuration {
  return {
    voters: wanted.voters,
    outgoing: current.voters,
    learners: wanted.learners.filter((node) => !current.voters.includes(node)),
    learnersNext: wanted.learners.filter((node) => current.voters.includes(node)),
  };
}

function simple({ voters, learners }: Wanted): Configuration {
  return { voters, outgoing: [], learners, learnersNext: [] };
}

function votersChanged(before: readonly NodeId[], after: readonly NodeId[]): number {
  const added = after.filter((node) => !before.includes(node)).length;
  const removed = before.filter((node) => !after.includes(node)).length;
  return added + removed;
}

function sameNodes(left: readonly NodeId[], right: readonly NodeId[]): boolean {
  return left.length === right.length && left.every((node) => right.includes(node));
}

function without(nodes: readonly NodeId[], node: NodeId): readonly NodeId[] {
  return nodes.filter((other) => other !== node);
}
