import type { Progress } from './progress.ts';
import { ReadQueue } from './read-index.ts';
import type { Index, NodeId } from './types.ts';

export interface Transfer {
  readonly to: NodeId;
  readonly startedTick: number;
  state: 'catchingUp' | 'told';
}

/** What only a leader knows; made at its election and dropped with its end. */
export class Leadership {
  readonly peers = new Map<NodeId, Progress>();
  /** Were peers in this leadership before: late answers to what was sent to them then may be on their way. */
  readonly formerPeers = new Set<NodeId>();
  readonly reads = new ReadQueue();
  /** The first entry of this leader's term: nothing is known to be committed before it is (paper §8). */
  readonly firstIndexOfTerm: Index;
  heartbeatElapsed = 0;
  heartbeatDue = false;
  transfer: Transfer | null = null;
  /** A peer that was told to campaign may be elected within the lease, now or whenever that message arrives. */
  leases: 'usable' | 'void' = 'usable';
  uncommittedBytes = 0;
  /** Commit indexes of one and two election timeouts ago at most. */
  commitMarks: { readonly tick: number; readonly older: Index; readonly newer: Index };

  constructor(firstIndexOfTerm: Index, commitIndex: Index, tick: number) {
    this.firstIndexOfTerm = firstIndexOfTerm;
    this.commitMarks = { tick, older: commitIndex, newer: commitIndex };
  }
}
