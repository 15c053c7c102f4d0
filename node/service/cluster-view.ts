import type { ClusterView, MemberView } from '../../src/api/views.ts';
import type { NodeId } from '../../src/ids.ts';
import type { VoterPolicy } from '../../src/state/records.ts';
import type { ClusterState } from '../../src/state/state.ts';
import { isAllHeldByParents } from '../../src/scheduling/parents.ts';
import { voterPolicyOf } from '../../src/state/voter-policy.ts';
import { formatDuration } from '../../src/units.ts';
import type { MemberPosition, MemberReport } from '../member-messages.ts';
import type { Replica } from '../replica/replica.ts';
import { clusterWarnings, faultTolerance, type MemberPicture } from './cluster-warnings.ts';

export interface ClusterSources {
  readonly self: NodeId;
  readonly replica: Pick<Replica, 'consensus' | 'state' | 'applier'>;
  readonly connected: readonly NodeId[];
  /** Null: the leader was not asked, or did not answer. */
  readonly report: MemberReport | null;
  /** Of others than this node. */
  readonly positions: ReadonlyMap<NodeId, MemberPosition>;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Puts together what this node, the leader and the members themselves say of the cluster. */
export function describeCluster(sources: ClusterSources): ClusterView {
  const { self, replica } = sources;
  const { consensus, state } = replica;
  const picture = pictureOf(sources);
  const { voters, learners, learnersNext } = consensus.configuration;
  const policy = voterPolicyOf(state);
  return {
    clusterId: state.cluster?.clusterId ?? '',
    node: self,
    leader: consensus.leader,
    term: consensus.term,
    commitIndex: consensus.commitIndex,
    appliedIndex: replica.applier.applied,
    members: [
      ...voters.map((id) => memberView(sources, id, 'voter')),
      ...[...learners, ...learnersNext].map((id) => memberView(sources, id, 'learner')),
    ],
    faultTolerance: faultTolerance(picture),
    warnings: clusterWarnings(picture),
    settings: { voters: policy.voters, replaceDeadAfter: replaceDeadText(policy) },
  };
}

/** The leader's own view where there is one; else whom this node is connected with. */
export function pictureOf({
  self,
  replica,
  connected,
  report,
}: Pick<ClusterSources, 'self' | 'replica' | 'connected' | 'report'>): MemberPicture {
  const { consensus, state } = replica;
  const heard = report?.members.filter(({ isAlive }) => isAlive).map(({ id }) => id) ?? [...connected, self];
  const living = new Set<NodeId>(heard);
  if (report !== null && consensus.leader !== null) living.add(consensus.leader);
  return {
    configuration: consensus.configuration,
    isAlive: (node) => living.has(node),
    wishOf: (node) => wishOf(state, node),
    isHeldByParents: () => isAllHeldByParents(state),
  };
}

function memberView(sources: ClusterSources, id: NodeId, role: MemberView['role']): MemberView {
  const { self, replica, report, positions, now } = sources;
  const { consensus, state, applier } = replica;
  const node = state.nodes.get(id);
  const isHere = id === self;
  const reported = report?.members.find((member) => member.id === id);
  const position = isHere ? { commitIndex: consensus.commitIndex, appliedIndex: applier.applied } : positions.get(id);
  const isAlive = pictureOf(sources).isAlive(id);
  const heardMsAgo = isHere || positions.has(id) ? 0 : (reported?.heardMsAgo ?? null);
  return {
    id,
    role,
    addresses: node?.addresses ?? [],
    http: node?.http ?? null,
    health: isAlive || isHere || positions.has(id) ? 'alive' : 'unreachable',
    version: node?.version ?? 'unknown',
    wish: wishOf(state, id),
    commitIndex: position?.commitIndex ?? null,
    appliedIndex: position?.appliedIndex ?? null,
    lag: lagOf(sources, id),
    lastSeen: heardMsAgo === null ? null : new Date(now - heardMsAgo).toISOString(),
  };
}

/** Entries of the leader's log that the member does not hold; null where only the leader knows and was not asked. */
function lagOf({ replica, report }: ClusterSources, id: NodeId): number | null {
  if (report === null) return null;
  if (id === replica.consensus.leader) return 0;
  const member = report.members.find((reported) => reported.id === id);
  return member === undefined ? null : Math.max(0, report.lastIndex - member.matchIndex);
}

function wishOf(state: ClusterState, node: NodeId): MemberView['wish'] {
  return state.nodes.get(node)?.wish ?? null;
}

function replaceDeadText({ replaceDead }: VoterPolicy): string {
  return typeof replaceDead === 'number' ? formatDuration(replaceDead) : replaceDead;
}
