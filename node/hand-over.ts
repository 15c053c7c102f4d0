import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeId } from '../src/ids.ts';
import type { Replica } from './replica/replica.ts';

/** More than an election takes; a node that stops waits no longer for its heir. */
const DEADLINE_MS = 1_000;
const LOOK_MS = 5;

export interface LeadingReplica extends Pick<Replica, 'isLeader' | 'leader' | 'transfer'> {
  readonly consensus: Pick<Replica['consensus'], 'configuration' | 'progress'>;
}

/**
 * Before a leader stops in order: the voter that is furthest takes over, so that nobody waits for an election timeout.
 * Tried and not promised; it never fails.
 */
export async function handOver(replica: LeadingReplica, deadlineMs = DEADLINE_MS): Promise<void> {
  const heir = replica.isLeader ? heirOf(replica) : null;
  if (heir === null) return;
  const since = performance.now();
  try {
    await replica.transfer(heir);
  } catch {
    return;
  }
  // This node goes on until the new leader is known here: its clients' proposals still reach it.
  while ((replica.isLeader || replica.leader === null) && performance.now() - since < deadlineMs) await sleep(LOOK_MS);
}

function heirOf({ consensus }: LeadingReplica): NodeId | null {
  const { voters } = consensus.configuration;
  const heirs = consensus.progress().filter(({ peer, recentActive }) => recentActive && voters.includes(peer));
  return heirs.toSorted((a, b) => b.matchIndex - a.matchIndex)[0]?.peer ?? null;
}
