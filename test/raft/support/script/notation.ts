import type { Effects, PersistRequest } from '../../../../raft/effects.ts';
import type { PeerProgress } from '../../../../raft/raft.ts';
import type { Configuration, Entry, Index, Message, SnapshotMeta, Term } from '../../../../raft/types.ts';
import type { Member } from '../member.ts';

/** How scripts write things; test/raft/scripts/README.md explains it to readers. */

export function place(index: Index, term: Term): string {
  return `${index}@${term}`;
}

export function writeConfiguration({ voters, outgoing, learners, learnersNext }: Configuration): string {
  const parts = [voters.join(' ') || 'nobody'];
  if (outgoing.length > 0) parts.push('&', outgoing.join(' '));
  if (learners.length > 0) parts.push('+', learners.join(' '));
  if (learnersNext.length > 0) parts.push('later +', learnersNext.join(' '));
  return parts.join(' ');
}

export function writeEntry(entry: Entry): string {
  const where = place(entry.index, entry.term);
  switch (entry.kind) {
    case 'noop':
      return where;
    case 'data':
      return `${where} ${shorten(new TextDecoder().decode(entry.data))}`;
    case 'configuration':
      return `${where} [${writeConfiguration(entry.configuration)}]`;
  }
}

/** Consecutive entries by their indexes. */
export function writeRange(entries: readonly Entry[]): string {
  const [first, last] = [entries[0]?.index, entries.at(-1)?.index];
  return first === last ? `${first}` : `${first}..${last}`;
}

export function writeMessage(message: Message): string {
  return `${message.from}>${message.to} ${content(message)} (term ${message.term})`;
}

function content(message: Message): string {
  switch (message.kind) {
    case 'requestVote': {
      const reason = message.reason === 'transfer' ? ' to take over' : '';
      return `${message.phase}?${reason} log ends at ${place(message.lastLogIndex, message.lastLogTerm)}`;
    }
    case 'requestVoteResponse':
      return `${message.phase} ${message.granted ? 'granted' : 'refused'}`;
    case 'appendEntries': {
      const added = message.entries.length === 0 ? 'nothing' : message.entries.map(writeEntry).join(', ');
      const after = place(message.prevLogIndex, message.prevLogTerm);
      return `append${session(message.session)} after ${after}: ${added}; commit ${message.leaderCommit}`;
    }
    case 'appendEntriesResponse':
      if (message.success) return `ack${session(message.session)} ${message.index}`;
      return `no${session(message.session)}, not ${message.index}; try ${place(message.hintIndex, message.hintTerm)}`;
    case 'heartbeat':
      return `heartbeat of tick ${message.sentTick}, round ${message.readRound}; commit ${message.commit}`;
    case 'heartbeatResponse':
      return `alive${session(message.session)} at tick ${message.sentTick}, round ${message.readRound}; last ${message.lastIndex}`;
    case 'installSnapshot':
      return `snapshot ${writeSnapshot(message.snapshot)}`;
    case 'readIndex':
      return `readIndex${session(message.session)} #${message.id}?`;
    case 'readIndexResponse':
      return `readIndex${session(message.session)} #${message.id} ${message.index ?? 'refused'}`;
    case 'timeoutNow':
      return `timeoutNow, if the log reaches ${message.expectedLastIndex}`;
  }
}

/** The first session of a node is the usual case and is not shown. */
function session(name: string | null): string {
  if (name === null) return ' to anyone';
  return name.endsWith('#1') ? '' : ` {${name}}`;
}

export function writeSnapshot({ index, term, configuration }: SnapshotMeta): string {
  return `${place(index, term)} [${writeConfiguration(configuration)}]`;
}

/** What a step decided, without what it sends and writes. */
export function writeResults(member: Member, effects: Effects): string[] {
  const { id } = member;
  const lines: string[] = [];
  const change = effects.roleChange;
  if (change !== null) lines.push(`${id} ${roleOf(change.role, change.leader)} (term ${change.term})`);
  for (const { id: request, index, term } of effects.accepted)
    lines.push(`${id} takes #${request} at ${place(index, term)}`);
  for (const { id: request, reason, leader } of effects.refused) {
    lines.push(`${id} refuses #${request}: ${reason}${leader === null ? '' : `, ask ${leader}`}`);
  }
  for (const { id: request, index } of effects.reads) lines.push(`${id} may read #${request} at ${index}`);
  for (const { to } of effects.snapshots) lines.push(`${id} has a snapshot for ${to}`);
  if (effects.restore !== null) lines.push(`${id} restores ${writeSnapshot(effects.restore)}`);
  return lines;
}

function roleOf(role: string, leader: string | null): string {
  switch (role) {
    case 'leader':
      return 'leads';
    case 'candidate':
      return 'campaigns';
    case 'preCandidate':
      return 'asks around';
    default:
      return leader === null ? 'follows nobody' : `follows ${leader}`;
  }
}

export function writeWrite(member: Member, request: PersistRequest): string {
  const { hardState, truncateFrom, entries, snapshot, seq } = request;
  const parts: string[] = [];
  if (hardState !== null) {
    const { term, vote, commit } = hardState;
    parts.push(`term ${term}${vote === null ? '' : ` vote ${vote}`} commit ${commit}`);
  }
  if (snapshot !== null) parts.push(`snapshot ${writeSnapshot(snapshot)}`);
  if (truncateFrom !== null) parts.push(`cut from ${truncateFrom}`);
  if (entries.length > 0) parts.push(entries.map(writeEntry).join(', '));
  return `${member.id} writes !${seq}: ${parts.join('; ')}`;
}

export function writeStatus(member: Member): string {
  if (member.state === 'down') return `${member.id} down`;
  const status = member.raft.status();
  const { role, term, commitIndex, applied, stableIndex, configuration } = status;
  const parts = [
    `${member.id} ${role} (term ${term})`,
    `log ${writeTerms(member)}`,
    `disk ${stableIndex}`,
    `commit ${commitIndex}`,
    `applied ${applied}`,
    `[${writeConfiguration(configuration)}]`,
  ];
  if (status.transferringTo !== null) parts.push(`hands over to ${status.transferringTo}`);
  if (status.droppedMessages > 0) parts.push(`dropped ${status.droppedMessages}`);
  return parts.join(', ');
}

/** The log as runs of one term, as `3..5@2`. */
function writeTerms({ memory }: Member): string {
  const runs: { first: Index; last: Index; term: Term }[] = [];
  for (const { index, term } of memory.entries) {
    const run = runs.at(-1);
    if (run?.term === term) run.last = index;
    else runs.push({ first: index, last: index, term });
  }
  const { snapshot } = memory;
  const base = snapshot === null ? [] : [`(${place(snapshot.index, snapshot.term)})`];
  const written = runs.map(({ first, last, term }) =>
    first === last ? place(first, term) : `${first}..${place(last, term)}`,
  );
  return [...base, ...written].join(' ') || 'empty';
}

export function writeProgress(progress: PeerProgress): string {
  const { peer, state, matchIndex, nextIndex, inflight, caughtUp } = progress;
  return `${peer} ${state}, match ${matchIndex}, next ${nextIndex}, in flight ${inflight}${caughtUp ? ', caught up' : ''}`;
}

function shorten(text: string): string {
  return text.length <= 12 ? text : `${text.slice(0, 1)}*${text.length}`;
}
