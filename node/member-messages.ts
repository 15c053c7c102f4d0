import type { Index, Term } from '../raft/types.ts';
import type { NodeId } from '../src/ids.ts';

/** What the leader knows of the other members. */
export interface MemberReport {
  readonly term: Term;
  readonly lastIndex: Index;
  readonly commitIndex: Index;
  readonly members: readonly ReportedMember[];
}

export interface ReportedMember {
  readonly id: NodeId;
  /** It holds everything up to here, durably. */
  readonly matchIndex: Index;
  /** Heard of within an election timeout. */
  readonly isAlive: boolean;
  /** Close enough behind to vote. */
  readonly isCaughtUp: boolean;
  /** Null: never since this leader was elected. */
  readonly heardMsAgo: number | null;
}

/** How far a member has come, as it says itself. */
export interface MemberPosition {
  readonly commitIndex: Index;
  readonly appliedIndex: Index;
}
