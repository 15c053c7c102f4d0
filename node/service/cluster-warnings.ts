import type { WarningView } from '../../src/api/views.ts';
import type { NodeId } from '../../src/ids.ts';
import type { MemberWish } from '../../src/state/records.ts';
import type { Configuration } from '../../raft/types.ts';
import { quorumMargin } from '../leader/quorum-margin.ts';

/** The members as one node sees them now. */
export interface MemberPicture {
  readonly configuration: Configuration;
  isAlive(node: NodeId): boolean;
  wishOf(node: NodeId): MemberWish | null;
  /** Nothing but jobs that may wait for their children has room, and queued ones find none. */
  isHeldByParents(): boolean;
}

/** How many more voters may fail before the cluster stops; 0 also where it has stopped already. */
export function faultTolerance({ configuration, isAlive }: MemberPicture): number {
  return Math.max(0, quorumMargin(configuration, isAlive));
}

/** What a person should see to, the gravest first. A cluster of one member is warned of nothing: it was meant so. */
export function clusterWarnings(picture: MemberPicture): readonly WarningView[] {
  return [...quorumWarnings(picture), ...voterWarnings(picture), ...wishWarnings(picture), ...roomWarnings(picture)];
}

function quorumWarnings({ configuration, isAlive }: MemberPicture): WarningView[] {
  const { voters, learners } = configuration;
  const margin = quorumMargin(configuration, isAlive);
  const living = voters.filter(isAlive).length;
  const count = `${living} of ${voters.length} voters ${living === 1 ? 'is' : 'are'} alive`;
  if (margin < 0) {
    const detail = `${count}, which is no majority: nothing is taken until ${-margin} more ${margin === -1 ? 'is' : 'are'} back`;
    return [{ code: 'quorumLost', detail, member: null }];
  }
  if (margin > 0 || voters.length + learners.length === 1) return [];
  const detail = `${count}: if one more fails, nothing is taken any more; bring voters back or add nodes`;
  return [{ code: 'quorumAtRisk', detail, member: null }];
}

function voterWarnings({ configuration, isAlive }: MemberPicture): WarningView[] {
  const { voters } = configuration;
  const dead = voters.filter((node) => !isAlive(node));
  const warnings: WarningView[] = dead.map((node) => ({
    code: 'voterUnreachable',
    detail: `the voter ${node} is not heard of: start it again, or remove it`,
    member: node,
  }));
  if (voters.length >= 4 && voters.length % 2 === 0) {
    const detail = `${voters.length} voters survive no more failures than ${voters.length - 1}: add one, or demote one`;
    warnings.push({ code: 'evenVoters', detail, member: null });
  }
  return warnings;
}

function wishWarnings({ configuration, wishOf }: MemberPicture): WarningView[] {
  const { voters, learners } = configuration;
  const leaving = [...voters, ...learners].filter((node) => wishOf(node) === 'leave');
  const demoted = voters.filter((node) => wishOf(node) === 'learner');
  const waits = 'waits until enough other voters are alive';
  return [
    ...leaving.map((node) => ({
      code: 'wishPending' as const,
      detail: `the removal of ${node} ${waits}`,
      member: node,
    })),
    ...demoted.map((node) => ({
      code: 'wishPending' as const,
      detail: `the demotion of ${node} ${waits}`,
      member: node,
    })),
  ];
}

function roomWarnings({ isHeldByParents }: MemberPicture): WarningView[] {
  if (!isHeldByParents()) return [];
  const detail =
    'every runner is full of jobs whose children are not final, and queued jobs find no room: if these jobs wait for their children, nothing goes on; cancel some, and give such jobs no processor';
  return [{ code: 'heldByParents', detail, member: null }];
}
