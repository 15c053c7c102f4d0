import { assert } from './assert.ts';
import type { Core } from './core.ts';
import { becomeLeader } from './leader.ts';
import { isOnlyVoter, isVoter, membersOf } from './membership.ts';
import { countVotes } from './quorum.ts';
import type { Message } from './types.ts';
import { hearsLeader } from './voting.ts';

type VoteResponse = Extract<Message, { kind: 'requestVoteResponse' }>;
type VoteRequest = Extract<Message, { kind: 'requestVote' }>;

/** Asks around first whether an election could be won, so that a cut-off node raises no terms (dissertation §9.6). */
export function startElection(core: Core): void {
  if (!canCampaign(core)) return;
  if (isOnlyVoter(core.log.configuration, core.id)) {
    campaign(core, 'timeout');
    return;
  }
  core.becomePreCandidate(new Map([[core.id, true]]));
  requestVotes(core, 'preVote', 'timeout');
  closePoll(core);
}

/**
 * Nobody else votes, so there is nobody to wait for; but one that a change is about to leave alone still follows a
 * leader, and that one may count on a lease.
 */
export function isAlone(core: Core): boolean {
  return core.state.role === 'follower' && isOnlyVoter(core.log.configuration, core.id) && !hearsLeader(core);
}

/** The leader asked this node to take over: at once, without asking around (dissertation §3.10). */
export function takeOver(core: Core): void {
  if (canCampaign(core)) campaign(core, 'transfer');
}

export function handleVoteResponse(core: Core, response: VoteResponse): void {
  switch (response.phase) {
    case 'preVote':
      countPreVote(core, response);
      break;
    case 'vote':
      countVote(core, response);
      break;
  }
}

/** A candidate's own vote counts once it is on disk, like any other. */
export function countOwnVote(core: Core): void {
  if (core.state.role !== 'candidate' || !core.durability.promiseIsDurable) return;
  core.state.votes.set(core.id, true);
  closePoll(core);
}

/** No new term before the last one is durable: a slow disk must not pile them up. */
function canCampaign(core: Core): boolean {
  return core.mayCampaign && core.disk === 'working' && core.durability.promiseIsDurable;
}

function campaign(core: Core, reason: VoteRequest['reason']): void {
  core.becomeCandidate();
  requestVotes(core, 'vote', reason);
}

function requestVotes(core: Core, phase: VoteRequest['phase'], reason: VoteRequest['reason']): void {
  const { log } = core;
  for (const voter of membersOf(log.configuration)) {
    if (voter === core.id || !isVoter(log.configuration, voter)) continue;
    const envelope = core.envelope(voter);
    const request = {
      kind: 'requestVote',
      phase,
      reason,
      lastLogIndex: log.lastIndex,
      lastLogTerm: log.lastTerm,
    } as const;
    if (phase === 'preVote') core.send({ ...request, ...envelope, term: core.term + 1 });
    else core.sendWhenDurable({ ...request, ...envelope });
  }
}

function countPreVote(core: Core, response: VoteResponse): void {
  if (!response.granted && response.term > core.term) {
    core.follow(response.term, null);
    return;
  }
  if (core.state.role !== 'preCandidate') return;
  if (response.granted && response.term !== core.term + 1) return;
  core.state.votes.set(response.from, response.granted);
  closePoll(core);
}

function countVote(core: Core, response: VoteResponse): void {
  if (response.term > core.term) {
    core.follow(response.term, null);
    return;
  }
  if (core.state.role !== 'candidate' || response.term !== core.term) return;
  core.state.votes.set(response.from, response.granted);
  closePoll(core);
}

function closePoll(core: Core): void {
  const { state } = core;
  assert(state.role === 'preCandidate' || state.role === 'candidate', 'only a candidate has votes');
  const result = countVotes(core.log.configuration, state.votes);
  if (result === 'lost') core.follow(core.term, null);
  if (result !== 'won') return;
  if (state.role === 'candidate') becomeLeader(core);
  else campaign(core, 'timeout');
}
