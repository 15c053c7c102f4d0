import type { Core } from './core.ts';
import type { Entry, Index, Message, NodeId } from './types.ts';

type Append = Extract<Message, { kind: 'appendEntries' }>;
type Heartbeat = Extract<Message, { kind: 'heartbeat' }>;
type InstallSnapshot = Extract<Message, { kind: 'installSnapshot' }>;

/** Paper figure 2, "AppendEntries RPC, receiver implementation". */
export function handleAppendEntries(core: Core, append: Append): 'taken' | 'malformed' {
  // Meant for this node before it restarted; the leader learns of the new session by a heartbeat.
  if (append.session !== null && append.session !== core.session) return 'taken';
  if (append.prevLogIndex < core.commitIndex) {
    acknowledge(core, append.from, core.commitIndex);
    return 'taken';
  }
  if (!core.log.matches(append.prevLogIndex, append.prevLogTerm)) {
    refuse(core, append);
    return 'taken';
  }
  const conflict = firstDifference(core, append.entries);
  if (conflict !== null) {
    // Neither what is committed nor what this leader has sent before can differ from its log.
    if (conflict.index <= Math.max(core.commitIndex, core.verifiedIndex)) return 'malformed';
    if (conflict.index <= core.log.lastIndex) core.truncateFrom(conflict.index);
    core.append(append.entries.slice(conflict.position));
  }
  const matched = append.prevLogIndex + append.entries.length;
  core.verifiedIndex = Math.max(core.verifiedIndex, matched);
  followCommit(core, append.leaderCommit);
  acknowledge(core, append.from, matched);
  return 'taken';
}

export function handleHeartbeat(core: Core, heartbeat: Heartbeat): void {
  followCommit(core, heartbeat.commit);
  core.send({
    kind: 'heartbeatResponse',
    ...core.envelope(heartbeat.from),
    readRound: heartbeat.readRound,
    sentTick: heartbeat.sentTick,
    session: core.session,
    lastIndex: core.log.lastIndex,
  });
}

/** Paper §7 and figure 13; the driver holds the verified bytes already. */
export function handleInstallSnapshot(core: Core, { from, snapshot }: InstallSnapshot): void {
  if (snapshot.index <= core.commitIndex) {
    acknowledge(core, from, core.commitIndex);
    return;
  }
  if (core.log.matches(snapshot.index, snapshot.term)) {
    core.verifiedIndex = Math.max(core.verifiedIndex, snapshot.index);
    core.commitTo(snapshot.index);
  } else {
    core.restore(snapshot);
  }
  acknowledge(core, from, snapshot.index);
}

/** Not beyond what this leader's appends have confirmed: behind that, the log may be another one's. */
function followCommit(core: Core, leaderCommit: Index): void {
  core.commitTo(Math.min(leaderCommit, Math.max(core.verifiedIndex, core.commitIndex)));
}

function acknowledge(core: Core, to: NodeId, index: Index): void {
  core.sendWhenDurable({
    kind: 'appendEntriesResponse',
    ...core.envelope(to),
    success: true,
    index,
    hintIndex: 0,
    hintTerm: 0,
    session: core.session,
  });
}

/** Tells where the logs may agree at most, so that the leader skips whole terms (paper §5.3, at its end). */
function refuse(core: Core, append: Append): void {
  const hintIndex = core.log.lastIndexWithTermAtMost(append.prevLogIndex, append.prevLogTerm);
  core.send({
    kind: 'appendEntriesResponse',
    ...core.envelope(append.from),
    success: false,
    index: append.prevLogIndex,
    hintIndex,
    hintTerm: core.log.termAt(hintIndex) ?? 0,
    session: core.session,
  });
}

/** The first entry that this log does not have: a new one, or one in whose place stands another. */
function firstDifference(core: Core, entries: readonly Entry[]): { index: Index; position: number } | null {
  const position = entries.findIndex((entry) => !core.log.matches(entry.index, entry.term));
  const entry = entries[position];
  return entry === undefined ? null : { index: entry.index, position };
}
