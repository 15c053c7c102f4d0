import { unreachable } from './assert.ts';
import { handleVoteResponse, takeOver } from './candidate.ts';
import type { Core } from './core.ts';
import { handleAppendEntries, handleHeartbeat, handleInstallSnapshot } from './follower.ts';
import { isSoundMessage } from './message-check.ts';
import { handleReadIndex, handleReadIndexResponse } from './reading.ts';
import { handleAppendResponse, handleHeartbeatResponse } from './replication.ts';
import type { Message } from './types.ts';
import { handleRequestVote } from './voting.ts';

type Vote = Extract<Message, { kind: 'requestVote' | 'requestVoteResponse' }>;
type FromLeader = Extract<Message, { kind: 'appendEntries' | 'heartbeat' | 'installSnapshot' }>;

/** What every message goes through first: whether it makes sense, and the rules of terms (paper §5.1). */
export function receive(core: Core, message: Message): 'taken' | 'dropped' {
  if (message.to !== core.id || message.from === core.id || !isSoundMessage(message)) return 'dropped';
  // Votes have rules of their own for terms.
  if (message.kind === 'requestVote') handleRequestVote(core, message);
  else if (message.kind === 'requestVoteResponse') handleVoteResponse(core, message);
  else if (message.term < core.term) answerOutdated(core, message);
  else {
    if (message.term > core.term) core.follow(message.term, null);
    return receiveInTerm(core, message);
  }
  return 'taken';
}

/** Who is behind learns of the newer term, or a node that once campaigned alone would stay stuck in it (§6.2). */
function answerOutdated(core: Core, message: Exclude<Message, Vote>): void {
  switch (message.kind) {
    case 'appendEntries':
    case 'heartbeat':
    case 'installSnapshot':
      core.send({
        kind: 'appendEntriesResponse',
        ...core.envelope(message.from),
        success: false,
        index: 0,
        hintIndex: 0,
        hintTerm: 0,
        session: core.session,
      });
      return;
    case 'readIndex':
      handleReadIndex(core, message);
      return;
    default:
      return;
  }
}

function receiveInTerm(core: Core, message: Exclude<Message, Vote>): 'taken' | 'dropped' {
  const { state } = core;
  switch (message.kind) {
    case 'appendEntries':
    case 'heartbeat':
    case 'installSnapshot':
      return receiveFromLeader(core, message);
    case 'appendEntriesResponse':
      if (state.role === 'leader') handleAppendResponse(core, state.lead, message);
      return 'taken';
    case 'heartbeatResponse':
      if (state.role === 'leader') handleHeartbeatResponse(core, state.lead, message);
      return 'taken';
    case 'readIndex':
      handleReadIndex(core, message);
      return 'taken';
    case 'readIndexResponse':
      handleReadIndexResponse(core, message);
      return 'taken';
    case 'timeoutNow':
      if (core.leader === message.from && core.log.lastIndex >= message.expectedLastIndex) takeOver(core);
      return 'taken';
    default:
      return unreachable(message);
  }
}

function receiveFromLeader(core: Core, message: FromLeader): 'taken' | 'dropped' {
  // A term has one leader (paper §5.2); a second one is not obeyed.
  if (core.leader !== null && core.leader !== message.from) return 'dropped';
  if (core.leader === null) core.follow(core.term, message.from);
  core.electionElapsed = 0;
  core.heardTick = core.tick;
  switch (message.kind) {
    case 'appendEntries':
      return handleAppendEntries(core, message) === 'malformed' ? 'dropped' : 'taken';
    case 'heartbeat':
      handleHeartbeat(core, message);
      return 'taken';
    case 'installSnapshot':
      handleInstallSnapshot(core, message);
      return 'taken';
    default:
      return unreachable(message);
  }
}
