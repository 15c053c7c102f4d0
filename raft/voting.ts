import { reachedByQuorum } from './quorum.ts';
import type { Core } from './core.ts';
import type { Leadership } from './leadership.ts';
import type { Message } from './types.ts';

type VoteRequest = Extract<Message, { kind: 'requestVote' }>;

/**
 * Answers a candidate, whether this node's configuration knows it or not: the candidate's may be the newer one
 * (dissertation §4.1).
 */
export function handleRequestVote(core: Core, request: VoteRequest): void {
  if (request.phase === 'preVote') answerPreVote(core, request);
  else answerVote(core, request);
}

/** When a quorum was last heard of by this leader. */
export function quorumContactTick(core: Core, lead: Leadership): number {
  return reachedByQuorum(core.log.configuration, (voter) =>
    voter === core.id ? core.tick : (lead.peers.get(voter)?.heardTick ?? Number.NEGATIVE_INFINITY),
  );
}

/**
 * Asks for nothing but an opinion, so neither term nor vote changes (dissertation §9.6). A refusal carries this node's
 * term: an asker that is behind takes it over, or it would be refused for ever.
 */
function answerPreVote(core: Core, request: VoteRequest): void {
  const granted = request.term > core.term && !hearsLeader(core) && isUpToDate(core, request);
  const term = granted ? request.term : core.term;
  core.send({ kind: 'requestVoteResponse', ...core.envelope(request.from), term, phase: 'preVote', granted });
}

function answerVote(core: Core, request: VoteRequest): void {
  // Not even the term is taken: a removed or cut-off node must not unseat a working leader (dissertation §4.2.3).
  if (request.term > core.term && request.reason === 'timeout' && hearsLeader(core)) return;
  if (request.term > core.term) core.follow(request.term, null);
  const mayVote = core.vote === request.from || (core.vote === null && core.leader === null);
  const granted = request.term === core.term && mayVote && isUpToDate(core, request);
  if (!granted) {
    core.send({ kind: 'requestVoteResponse', ...core.envelope(request.from), phase: 'vote', granted });
    return;
  }
  core.grantVote(request.from);
  core.resetElectionTimer();
  core.sendWhenDurable({ kind: 'requestVoteResponse', ...core.envelope(request.from), phase: 'vote', granted });
}

function isUpToDate(core: Core, request: VoteRequest): boolean {
  return core.log.isCoveredBy(request.lastLogIndex, request.lastLogTerm);
}

/** Whether a leader was heard of within the least election timeout; a leader hears itself by its quorum. */
export function hearsLeader(core: Core): boolean {
  const heard = core.state.role === 'leader' ? quorumContactTick(core, core.state.lead) : core.heardTick;
  if (heard === null || core.tick - heard >= core.options.electionTicks) return false;
  return heard >= core.stalledTick || owesLease(core);
}

/** The own clock stood still, not the leader's: what it was promised it may have counted on since. */
function owesLease(core: Core): boolean {
  return core.options.reads === 'lease' && core.state.role !== 'leader';
}
