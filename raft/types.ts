/**
 * The vocabulary of the consensus core. Names follow the Raft paper (Ongaro and Ousterhout 2014, extended version)
 * and Ongaro's dissertation (2014); sections are cited where a rule comes from one of them.
 */

export type NodeId = string & { readonly __brand: 'NodeId' };
/** A log position, counted from 1; 0 stands before the first entry. */
export type Index = number;
/** An election term, counted from 1; 0 is the term before the first election. */
export type Term = number;
/** Names one caller's request to the core; unique within the life of the process, never reused. */
export type RequestId = number;

/** Who votes and who only receives. In a joint configuration (paper §6) `outgoing` holds the old voters. */
export interface Configuration {
  readonly voters: readonly NodeId[];
  /** The old voters while a joint change is under way, empty otherwise. */
  readonly outgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** Voters of the old configuration that become learners when the joint configuration is left. */
  readonly learnersNext: readonly NodeId[];
}

export type Entry =
  | { readonly kind: 'data'; readonly index: Index; readonly term: Term; readonly data: Uint8Array }
  /** The entry that a new leader appends so that it can commit in its own term (paper §5.4.2, §8). */
  | { readonly kind: 'noop'; readonly index: Index; readonly term: Term }
  | {
      readonly kind: 'configuration';
      readonly index: Index;
      readonly term: Term;
      readonly configuration: Configuration;
    };

/** What must be durable before any answer that depends on it (paper figure 2, "persistent state"). */
export interface HardState {
  readonly term: Term;
  readonly vote: NodeId | null;
  /** A lower bound of the commit index, to apply sooner after a restart. Never needed for safety. */
  readonly commit: Index;
}

export interface SnapshotMeta {
  readonly index: Index;
  readonly term: Term;
  readonly configuration: Configuration;
}

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

export type Message =
  | (Envelope & {
      readonly kind: 'requestVote';
      readonly phase: 'preVote' | 'vote';
      readonly lastLogIndex: Index;
      readonly lastLogTerm: Term;
      /** `transfer` lets the vote pass the lease check of the voters (dissertation §3.10, §4.2.3). */
      readonly reason: 'timeout' | 'transfer';
    })
  | (Envelope & {
      readonly kind: 'requestVoteResponse';
      readonly phase: 'preVote' | 'vote';
      readonly granted: boolean;
    })
  | (Envelope & {
      readonly kind: 'appendEntries';
      readonly prevLogIndex: Index;
      readonly prevLogTerm: Term;
      readonly entries: readonly Entry[];
      readonly leaderCommit: Index;
      /** Names the follower's incarnation that the leader last heard of, null before the first answer. */
      readonly session: string | null;
    })
  | (Envelope & {
      readonly kind: 'appendEntriesResponse';
      readonly success: boolean;
      /** With success: the last index now known to match and durable. Else: the prevLogIndex that was refused. */
      readonly index: Index;
      /** With a refusal: where the leader should look next (paper §5.3, the optimisation at its end). */
      readonly hintIndex: Index;
      readonly hintTerm: Term;
      readonly session: string;
    })
  | (Envelope & {
      readonly kind: 'heartbeat';
      readonly commit: Index;
      /** The newest read round that this heartbeat confirms; 0 for none. */
      readonly readRound: number;
      /** The leader's tick count at sending: a lease counts from there. */
      readonly sentTick: number;
    })
  | (Envelope & {
      readonly kind: 'heartbeatResponse';
      readonly readRound: number;
      readonly sentTick: number;
      readonly session: string;
      /** The follower's last log index, so that a leader sees one that lost its log. */
      readonly lastIndex: Index;
    })
  /** Sent once the driver holds the whole verified snapshot; the bytes travel outside the core (paper §7). */
  | (Envelope & { readonly kind: 'installSnapshot'; readonly snapshot: SnapshotMeta })
  | (Envelope & { readonly kind: 'readIndex'; readonly id: RequestId; readonly session: string })
  | (Envelope & {
      readonly kind: 'readIndexResponse';
      readonly id: RequestId;
      readonly session: string;
      /** Null: refused, the asked one does not lead or cannot know yet. */
      readonly index: Index | null;
    })
  | (Envelope & { readonly kind: 'timeoutNow'; readonly expectedLastIndex: Index });

export type MembershipChange =
  | { readonly kind: 'addLearner'; readonly node: NodeId }
  | { readonly kind: 'promote'; readonly node: NodeId }
  | { readonly kind: 'demote'; readonly node: NodeId }
  | { readonly kind: 'remove'; readonly node: NodeId }
  /** The whole wanted configuration at once, by way of a joint one (paper §6). */
  | { readonly kind: 'replace'; readonly voters: readonly NodeId[]; readonly learners: readonly NodeId[] };
