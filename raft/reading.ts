import type { Core } from './core.ts';
import type { Leadership } from './leadership.ts';
import { reachedByQuorum } from './quorum.ts';
import type { Reader } from './read-index.ts';
import type { Index, Message, NodeId, RequestId } from './types.ts';

/** A lease ends this part of an election timeout early: clocks of different nodes run at different speeds. */
export const LEASE_MARGIN = 0.2;

/** A caller of this node wants to read (dissertation §6.4). */
export function read(core: Core, id: RequestId): void {
  const { state, leader } = core;
  if (state.role === 'leader') {
    readAtLeader(core, state.lead, { kind: 'local', id });
    return;
  }
  if (leader === null) {
    core.out.refuse(id, 'notLeader', leader);
    return;
  }
  if (core.forwardedReads.add(id, core.tick) === 'full') {
    core.out.refuse(id, 'readLimit', leader);
    return;
  }
  core.send({ kind: 'readIndex', ...core.envelope(leader), id, session: core.session });
}

export function handleReadIndex(core: Core, request: Extract<Message, { kind: 'readIndex' }>): void {
  const reader: Reader = { kind: 'remote', from: request.from, id: request.id, session: request.session };
  if (core.state.role === 'leader') readAtLeader(core, core.state.lead, reader);
  else core.refuseRead(reader, 'notLeader');
}

/** Ids start anew with each start of a node, so an answer to another session's question is not for this one. */
export function handleReadIndexResponse(core: Core, answer: Extract<Message, { kind: 'readIndexResponse' }>): void {
  if (answer.session !== core.session || answer.from !== core.leader || !core.forwardedReads.take(answer.id)) return;
  if (answer.index === null) core.out.refuse(answer.id, 'notLeader', core.leader);
  else core.out.reads.push({ id: answer.id, index: answer.index });
}

/** The question or its answer may have been lost. */
export function expireForwardedReads(core: Core): void {
  const late = core.forwardedReads.askedBefore(core.tick - core.options.electionTicks);
  for (const id of late) core.out.refuse(id, 'notLeader', core.leader);
}

/** Starts and ends rounds of reads. A new round has to be carried to the voters at once. */
export function answerReads(core: Core, lead: Leadership): 'newReadRound' | 'none' {
  const { reads } = lead;
  if (committedInTerm(core, lead) === null) return 'none';
  reads.open(core.commitIndex);
  confirmRounds(core, lead);
  if (!reads.hasWaiting || (reads.roundUnderWay && !lead.heartbeatDue)) return 'none';
  reads.beginRound();
  confirmRounds(core, lead);
  return reads.roundUnderWay ? 'newReadRound' : 'none';
}

function readAtLeader(core: Core, lead: Leadership, reader: Reader): void {
  const commitIndex = committedInTerm(core, lead);
  if (commitIndex !== null && core.options.reads === 'lease' && holdsLease(core, lead)) {
    answer(core, reader, commitIndex);
    return;
  }
  if (lead.reads.add(reader, commitIndex) === 'full') core.refuseRead(reader, 'readLimit');
}

/** A leader knows what is committed only after an entry of its own term is (paper §8). */
function committedInTerm(core: Core, lead: Leadership): Index | null {
  return core.commitIndex >= lead.firstIndexOfTerm ? core.commitIndex : null;
}

function confirmRounds(core: Core, lead: Leadership): void {
  const confirmed = reachedByQuorum(core.log.configuration, (voter) =>
    voter === core.id ? lead.reads.newestRound : (lead.peers.get(voter)?.readRound ?? 0),
  );
  for (const { reader, index } of lead.reads.confirm(confirmed)) answer(core, reader, index);
}

/** A quorum refuses votes for an election timeout from the sending of what it answered (dissertation §6.4.1). */
function holdsLease(core: Core, lead: Leadership): boolean {
  if (lead.leases === 'void') return false;
  const start = reachedByQuorum(core.log.configuration, (voter: NodeId) =>
    voter === core.id ? core.tick : (lead.peers.get(voter)?.leaseTick ?? Number.NEGATIVE_INFINITY),
  );
  return start >= core.stalledTick && core.tick - start < core.options.electionTicks * (1 - LEASE_MARGIN);
}

function answer(core: Core, reader: Reader, index: Index): void {
  if (reader.kind === 'local') core.out.reads.push({ id: reader.id, index });
  else {
    const { id, session } = reader;
    core.send({ kind: 'readIndexResponse', ...core.envelope(reader.from), id, session, index });
  }
}
