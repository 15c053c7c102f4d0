import { assert } from './assert.ts';
import type { Core } from './core.ts';
import { Leadership } from './leadership.ts';
import { entryBytes } from './log.ts';
import { isJoint, isVoter, leaveJoint, planChange } from './membership.ts';
import type { RefusalReason } from './effects.ts';
import type { Progress } from './progress.ts';
import { reachedByQuorum } from './quorum.ts';
import { answerReads } from './reading.ts';
import { followMembership, isRecentlyActive, replicate } from './replication.ts';
import type { Configuration, Entry, Index, MembershipChange, NodeId, RequestId } from './types.ts';
import { quorumContactTick } from './voting.ts';

export function becomeLeader(core: Core): void {
  const { log } = core;
  const lead = new Leadership(log.lastIndex + 1, core.commitIndex, core.tick);
  for (let index = core.commitIndex + 1; index <= log.lastIndex; index += 1) {
    lead.uncommittedBytes += entryBytes(log.entryAt(index));
  }
  core.becomeLeader(lead);
  followMembership(core, lead);
  appendEntry(core, lead, firstEntry(core));
}

/** Ends each step of a leader: what the step changed is drawn together and sent, once. */
export function settleLeader(core: Core, lead: Leadership): void {
  advanceCommit(core, lead);
  leaveJointWhenCommitted(core, lead);
  const round = answerReads(core, lead);
  replicate(core, lead, round);
  tellTransferTarget(core, lead);
  if (core.log.configurationIndex > core.commitIndex) return;
  followMembership(core, lead);
  if (!isVoter(core.log.configuration, core.id)) stepDown(core, lead);
}

export function tickLeader(core: Core, lead: Leadership): void {
  const { electionTicks, heartbeatTicks } = core.options;
  // A leader that reaches no quorum does not know of a newer one; its clients must not wait for it (§6.2).
  if (core.tick - quorumContactTick(core, lead) >= electionTicks) {
    core.follow(core.term, null);
    return;
  }
  lead.heartbeatElapsed += 1;
  if (lead.heartbeatElapsed >= heartbeatTicks) {
    lead.heartbeatElapsed = 0;
    lead.heartbeatDue = true;
  }
  if (lead.transfer !== null && core.tick - lead.transfer.startedTick >= electionTicks) lead.transfer = null;
  if (core.tick - lead.commitMarks.tick >= electionTicks) {
    lead.commitMarks = { tick: core.tick, older: lead.commitMarks.newer, newer: core.commitIndex };
  }
}

export function propose(core: Core, lead: Leadership, id: RequestId, data: Uint8Array): void {
  const entry: Entry = { kind: 'data', index: core.log.lastIndex + 1, term: core.term, data };
  const refusal = reasonAgainst(core, lead, entryBytes(entry));
  if (refusal !== null) {
    core.out.refuse(id, refusal, core.id);
    return;
  }
  appendEntry(core, lead, entry);
  core.out.accepted.push({ id, index: entry.index, term: entry.term });
}

export function changeMembership(core: Core, lead: Leadership, id: RequestId, change: MembershipChange): void {
  const planned = checkChange(core, lead, change);
  if (typeof planned === 'string') {
    core.out.refuse(id, planned, core.id);
    return;
  }
  const { index, term } = appendConfiguration(core, lead, planned);
  core.out.accepted.push({ id, index, term });
}

/** Asks a voter to take over once it holds the whole log; proposals wait for that (dissertation §3.10). */
export function transfer(core: Core, lead: Leadership, to: NodeId): void {
  if (to === core.id || lead.transfer?.to === to) return;
  if (!isVoter(core.log.configuration, to) || !lead.peers.has(to)) return;
  lead.transfer = { to, startedTick: core.tick, state: 'catchingUp' };
}

/** The disk does not keep up: another voter can, unless there is none. */
export function giveWay(core: Core, lead: Leadership): void {
  const { voters, outgoing } = core.log.configuration;
  const others = [...voters, ...outgoing].filter((voter) => voter !== core.id);
  if (core.disk === 'stalled' && others.length > 0) stepDown(core, lead);
}

/** Everything that was committed an election timeout ago is there (after dissertation §4.2.1). */
export function isCaughtUp(core: Core, lead: Leadership, progress: Progress): boolean {
  return isRecentlyActive(core, progress) && progress.matchIndex >= lead.commitMarks.older && progress.matchIndex > 0;
}

/** The membership that the first node began with is in no log yet: everyone learns it from this entry. */
function firstEntry(core: Core): Entry {
  const { log } = core;
  const place = { index: log.lastIndex + 1, term: core.term };
  if (log.configurationIndex > 0) return { kind: 'noop', ...place };
  return { kind: 'configuration', ...place, configuration: log.configuration };
}

function appendEntry(core: Core, lead: Leadership, entry: Entry): void {
  assert(entry.term === core.term, 'a leader appends in its own term');
  core.append([entry]);
  lead.uncommittedBytes += entryBytes(entry);
}

function appendConfiguration(core: Core, lead: Leadership, configuration: Configuration): Entry {
  const entry: Entry = { kind: 'configuration', index: core.log.lastIndex + 1, term: core.term, configuration };
  appendEntry(core, lead, entry);
  followMembership(core, lead);
  if (lead.transfer !== null && !isVoter(configuration, lead.transfer.to)) lead.transfer = null;
  return entry;
}

function reasonAgainst(core: Core, lead: Leadership, bytes: number): RefusalReason | null {
  if (lead.transfer !== null) return 'leadershipTransfer';
  const isFull = lead.uncommittedBytes + bytes > core.options.maxUncommittedBytes;
  return isFull && lead.uncommittedBytes > 0 ? 'uncommittedLimit' : null;
}

/** One change at a time, and none before this leader knows what is committed (the bug of 2015 in §4.1). */
function checkChange(core: Core, lead: Leadership, change: MembershipChange): Configuration | RefusalReason {
  const { configuration, configurationIndex } = core.log;
  if (lead.transfer !== null) return 'leadershipTransfer';
  if (core.commitIndex < lead.firstIndexOfTerm) return 'noCommitInTerm';
  if (configurationIndex > core.commitIndex || isJoint(configuration)) return 'changeInProgress';
  if (change.kind === 'promote') {
    const progress = lead.peers.get(change.node);
    if (progress === undefined || !isCaughtUp(core, lead, progress)) return 'invalidChange';
  }
  return planChange(configuration, change) ?? 'invalidChange';
}

/** Only entries of the own term are committed by counting; older ones follow with them (paper §5.4.2, figure 8). */
function advanceCommit(core: Core, lead: Leadership): void {
  const { log } = core;
  const before = core.commitIndex;
  const reached = reachedByQuorum(log.configuration, (voter) => matchIndexOf(core, lead, voter));
  if (reached <= before || log.termAt(reached) !== core.term) return;
  core.commitTo(reached);
  for (let index = before + 1; index <= reached; index += 1) lead.uncommittedBytes -= entryBytes(log.entryAt(index));
}

/** Its own log counts as far as it is on disk. */
function matchIndexOf(core: Core, lead: Leadership, voter: NodeId): Index {
  if (voter === core.id) return core.durability.stableIndex;
  return lead.peers.get(voter)?.matchIndex ?? 0;
}

function leaveJointWhenCommitted(core: Core, lead: Leadership): void {
  const { configuration, configurationIndex } = core.log;
  if (!isJoint(configuration) || configurationIndex > core.commitIndex) return;
  if (core.commitIndex < lead.firstIndexOfTerm) return;
  appendConfiguration(core, lead, leaveJoint(configuration));
}

function tellTransferTarget(core: Core, lead: Leadership): void {
  if (lead.transfer?.state !== 'catchingUp') return;
  const { to } = lead.transfer;
  if (lead.peers.get(to)?.matchIndex !== core.log.lastIndex) return;
  lead.transfer.state = 'told';
  sendTimeoutNow(core, lead, to, core.log.lastIndex);
}

/** Hands over to the voter that is furthest, so that nobody waits for an election timeout (dissertation §4.2.2). */
function stepDown(core: Core, lead: Leadership): void {
  const heirs = [...lead.peers].filter(
    ([peer, progress]) => core.log.configuration.voters.includes(peer) && isRecentlyActive(core, progress),
  );
  const [heir] = heirs.toSorted(([, left], [, right]) => right.matchIndex - left.matchIndex);
  if (heir !== undefined) sendTimeoutNow(core, lead, heir[0], heir[1].matchIndex);
  core.follow(core.term, null);
}

function sendTimeoutNow(core: Core, lead: Leadership, to: NodeId, expectedLastIndex: Index): void {
  lead.leases = 'void';
  core.send({ kind: 'timeoutNow', ...core.envelope(to), expectedLastIndex });
}
