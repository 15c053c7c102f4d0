import { unreachable } from './assert.ts';
import type { Entry, Message } from './types.ts';

/** Whether a message makes sense by itself. What does not is dropped: input never trips an assertion. */
export function isSoundMessage(message: Message): boolean {
  return isCount(message.term) && hasSoundContent(message);
}

function hasSoundContent(message: Message): boolean {
  switch (message.kind) {
    case 'requestVote':
      return isCount(message.lastLogIndex) && isCount(message.lastLogTerm) && message.lastLogTerm <= message.term;
    case 'requestVoteResponse':
      return true;
    case 'appendEntries':
      return (
        isCount(message.prevLogIndex) &&
        isCount(message.prevLogTerm) &&
        isCount(message.leaderCommit) &&
        areConsecutive(message.entries, message.prevLogIndex, message.prevLogTerm, message.term)
      );
    case 'appendEntriesResponse':
      return isCount(message.index) && isCount(message.hintIndex) && isCount(message.hintTerm);
    case 'heartbeat':
      return isCount(message.commit) && isCount(message.readRound) && isCount(message.sentTick);
    case 'heartbeatResponse':
      return isCount(message.readRound) && isCount(message.sentTick) && isCount(message.lastIndex);
    case 'installSnapshot':
      return isCount(message.snapshot.index) && isCount(message.snapshot.term) && message.snapshot.term <= message.term;
    case 'readIndex':
      return true;
    case 'readIndexResponse':
      return message.index === null || isCount(message.index);
    case 'timeoutNow':
      return isCount(message.expectedLastIndex);
    default:
      return unreachable(message);
  }
}

function areConsecutive(entries: readonly Entry[], prevLogIndex: number, prevLogTerm: number, term: number): boolean {
  let index = prevLogIndex;
  let lastTerm = prevLogTerm;
  for (const entry of entries) {
    index += 1;
    if (entry.index !== index || !isCount(entry.term) || entry.term < lastTerm) return false;
    lastTerm = entry.term;
  }
  return lastTerm <= term;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
