import { assert } from './assert.ts';
import type { Core } from './core.ts';
import type { Leadership } from './leadership.ts';
import { entryBytes } from './log.ts';
import { ANY_TICK, Progress } from './progress.ts';
import { isVoter, membersOf } from './membership.ts';
import type { Message, NodeId } from './types.ts';

type AppendResponse = Extract<Message, { kind: 'appendEntriesResponse' }>;
type HeartbeatResponse = Extract<Message, { kind: 'heartbeatResponse' }>;

/**
 * Follows the membership: new members get a progress at once. One that a change removes is kept until that change is
 * committed, so that it can learn of its removal.
 */
export function followMembership(core: Core, lead: Leadership): void {
  const { log } = core;
  const wanted = membersOf(log.configuration);
  if (log.configurationIndex > core.commitIndex) {
    for (const node of membersOf(log.configurationAt(log.configurationIndex - 1))) wanted.add(node);
  }
  wanted.delete(core.id);
  for (const peer of lead.peers.keys()) {
    if (wanted.has(peer)) continue;
    lead.peers.delete(peer);
    lead.formerPeers.add(peer);
  }
  for (const peer of wanted) {
    if (lead.peers.has(peer)) continue;
    const sessionTick = lead.formerPeers.has(peer) ? core.tick : ANY_TICK;
    lead.peers.set(peer, new Progress(log.lastIndex + 1, core.tick, sessionTick));
  }
}

/** Sends every peer what it may get now: entries, the commit index, a round of heartbeats; each at most once a step. */
export function replicate(core: Core, lead: Leadership, round: 'newReadRound' | 'none'): void {
  for (const [peer, progress] of lead.peers) {
    const appended = sendAppends(core, peer, progress);
    const behind = progress.state === 'replicate' && progress.toldCommit < core.commitIndex;
    const asked = round === 'newReadRound' && isVoter(core.log.configuration, peer);
    if (lead.heartbeatDue || asked || (behind && appended === 'nothing')) sendHeartbeat(core, lead, peer, progress);
  }
  lead.heartbeatDue = false;
}

export function handleAppendResponse(core: Core, lead: Leadership, response: AppendResponse): void {
  const progress = lead.peers.get(response.from);
  if (progress === undefined || response.index > core.log.lastIndex) return;
  if (progress.meetSession(response.session, ANY_TICK, core.tick) === 'doubtful') return;
  progress.heardTick = core.tick;
  if (response.success) {
    progress.acknowledged(response.index, core.log.firstIndex);
    return;
  }
  const agreesAtMost = core.log.lastIndexWithTermAtMost(response.hintIndex, response.hintTerm);
  progress.refused(response.index, agreesAtMost);
}

export function handleHeartbeatResponse(core: Core, lead: Leadership, response: HeartbeatResponse): void {
  const progress = lead.peers.get(response.from);
  if (progress === undefined || response.sentTick > core.tick || response.readRound > lead.reads.newestRound) return;
  progress.heardTick = Math.max(progress.heardTick, response.sentTick);
  progress.leaseTick = Math.max(progress.leaseTick, response.sentTick);
  progress.readRound = Math.max(progress.readRound, response.readRound);
  switch (progress.meetSession(response.session, response.sentTick, core.tick)) {
    case 'adopted':
      progress.probeFrom(Math.min(response.lastIndex, core.log.lastIndex) + 1);
      break;
    case 'known':
      progress.alive(core.tick, core.options.heartbeatTicks);
      break;
    case 'doubtful':
      break;
  }
}

export function handleSnapshotResult(core: Core, lead: Leadership, peer: NodeId, result: 'delivered' | 'failed'): void {
  const progress = lead.peers.get(peer);
  if (progress === undefined || progress.state !== 'snapshot') return;
  switch (result) {
    case 'delivered':
      progress.probeFrom(core.log.firstIndex);
      break;
    case 'failed':
      progress.probeFrom(progress.matchIndex + 1);
      progress.pauseProbe();
      break;
  }
}

export function handleUnreachable(lead: Leadership, peer: NodeId): void {
  const progress = lead.peers.get(peer);
  if (progress?.state !== 'replicate') return;
  progress.probeFrom(progress.matchIndex + 1);
  progress.pauseProbe();
}

export function isRecentlyActive(core: Core, progress: Progress): boolean {
  return core.tick - progress.heardTick < core.options.electionTicks;
}

function sendAppends(core: Core, peer: NodeId, progress: Progress): 'something' | 'nothing' {
  let sent: 'something' | 'nothing' = progress.takeLossCheck() ? checkForLoss(core, peer, progress) : 'nothing';
  while (progress.canSend(core.options)) {
    if (progress.state === 'replicate' && progress.nextIndex > core.log.lastIndex) break;
    if (sendAppend(core, peer, progress) === 'needsSnapshot') break;
    sent = 'something';
  }
  return sent;
}

/** An empty append is refused if what went before it was lost, and acknowledged if only the acks were. */
function checkForLoss(core: Core, peer: NodeId, progress: Progress): 'something' | 'nothing' {
  const prevLogTerm = core.log.termAt(progress.nextIndex - 1);
  if (prevLogTerm === null) {
    progress.probeFrom(progress.matchIndex + 1);
    return 'nothing';
  }
  pushAppend(core, peer, progress, { prevLogTerm, entries: [] });
  return 'something';
}

function sendAppend(core: Core, peer: NodeId, progress: Progress): 'sent' | 'needsSnapshot' {
  const { log, options } = core;
  const prevLogTerm = log.termAt(progress.nextIndex - 1);
  if (prevLogTerm === null) {
    askForSnapshot(core, peer, progress);
    return 'needsSnapshot';
  }
  const entries = log.slice(progress.nextIndex, log.lastIndex, options.maxAppendBytes);
  const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
  pushAppend(core, peer, progress, { prevLogTerm, entries });
  progress.sent(progress.nextIndex - 1 + entries.length, bytes);
  return 'sent';
}

function pushAppend(
  core: Core,
  peer: NodeId,
  progress: Progress,
  part: Pick<Extract<Message, { kind: 'appendEntries' }>, 'prevLogTerm' | 'entries'>,
): void {
  core.send({
    kind: 'appendEntries',
    ...core.envelope(peer),
    prevLogIndex: progress.nextIndex - 1,
    prevLogTerm: part.prevLogTerm,
    entries: part.entries,
    leaderCommit: core.commitIndex,
    session: progress.session,
  });
  progress.toldCommit = core.commitIndex;
}

/** Not for a peer that does not answer: it could not take it. */
function askForSnapshot(core: Core, peer: NodeId, progress: Progress): void {
  if (!isRecentlyActive(core, progress)) {
    progress.probeFrom(progress.nextIndex);
    progress.pauseProbe();
    return;
  }
  assert(core.log.baseIndex <= core.applied, 'what is no longer in the log is in the state machine');
  progress.needsSnapshot();
  core.out.snapshots.push({ to: peer, term: core.term });
}

function sendHeartbeat(core: Core, lead: Leadership, peer: NodeId, progress: Progress): void {
  core.send({
    kind: 'heartbeat',
    ...core.envelope(peer),
    commit: core.commitIndex,
    readRound: lead.reads.newestRound,
    sentTick: core.tick,
  });
  progress.toldCommit = core.commitIndex;
}
