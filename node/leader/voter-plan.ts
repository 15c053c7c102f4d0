import type { Configuration, MembershipChange } from '../../raft/types.ts';
import type { NodeId } from '../../src/ids.ts';
import type { MemberWish } from '../../src/state/records.ts';
import { marginAfter } from './quorum-margin.ts';

/** What the leader knows of the members when it decides. */
export interface VoterPicture {
  readonly leader: NodeId;
  readonly configuration: Configuration;
  /** How many are to vote. */
  readonly wanted: number;
  /** Silence after which a voter is replaced; null: never. */
  readonly replaceDeadAfterMs: number | null;
  wishOf(node: NodeId): MemberWish | null;
  isAlive(node: NodeId): boolean;
  /** Alive, and close enough behind to vote. */
  isCaughtUp(node: NodeId): boolean;
  silentMs(node: NodeId): number;
}

export interface PlannedChange {
  readonly why: 'leave' | 'demote' | 'surplus' | 'promote' | 'replaceDead';
  readonly nodes: readonly NodeId[];
  readonly change: MembershipChange;
}

/**
 * The next change of the membership that the leader has to make; null: none, or none that is safe now. One at a time,
 * and never one that leaves fewer live voters than a majority: wishes of users first, then the wanted number of voters,
 * then a voter that is dead for long.
 */
export function planVoters(picture: VoterPicture): PlannedChange | null {
  if (picture.configuration.outgoing.length > 0) return null;
  const plans = [...leaving(picture), ...demotions(picture), ...surplus(picture), ...promotions(picture)];
  return [...plans, ...replacements(picture)].find((plan) => isSafe(picture, plan.change)) ?? null;
}

function isSafe({ configuration, isAlive }: VoterPicture, change: MembershipChange): boolean {
  const margin = marginAfter(configuration, change, isAlive);
  return margin !== null && margin >= 0;
}

function leaving({ configuration, wishOf }: VoterPicture): PlannedChange[] {
  const { voters, learners } = configuration;
  const gone = [...learners, ...voters].filter((node) => wishOf(node) === 'leave');
  return gone.map((node) => ({ why: 'leave', nodes: [node], change: { kind: 'remove', node } }));
}

function demotions({ configuration, wishOf }: VoterPicture): PlannedChange[] {
  const unwilling = configuration.voters.filter((node) => wishOf(node) === 'learner');
  return unwilling.map((node) => ({ why: 'demote', nodes: [node], change: { kind: 'demote', node } }));
}

/** Somebody lowered the wanted number. The dead go first, the leader never. */
function surplus({ configuration, wanted, leader, isAlive }: VoterPicture): PlannedChange[] {
  if (configuration.voters.length <= wanted) return [];
  const others = configuration.voters
    .filter((node) => node !== leader)
    .toSorted((a, b) => Number(isAlive(a)) - Number(isAlive(b)));
  return others.map((node) => ({ why: 'surplus', nodes: [node], change: { kind: 'demote', node } }));
}

/**
 * An even number of voters survives no more failures than the odd one below it and needs one more to agree. So three
 * become five in one joint change, when two learners are ready. One becomes two, though: what is acknowledged is on two
 * disks then. And who was asked for by a user is promoted alone.
 */
function promotions(picture: VoterPicture): PlannedChange[] {
  const { configuration, wanted, wishOf } = picture;
  const { voters, learners } = configuration;
  if (voters.length >= wanted) return [];
  const [first, second] = candidates(picture);
  if (first === undefined) return [];
  const isAlone = wishOf(first) === 'voter' || voters.length === 1 || voters.length % 2 === 0;
  if (isAlone) return [{ why: 'promote', nodes: [first], change: { kind: 'promote', node: first } }];
  if (second === undefined) return [];
  const pair = [first, second];
  const rest = learners.filter((node) => !pair.includes(node));
  return [{ why: 'promote', nodes: pair, change: { kind: 'replace', voters: [...voters, ...pair], learners: rest } }];
}

/** The dead one becomes a learner: it keeps what it has, catches up when it comes back, and votes again when wanted. */
function replacements(picture: VoterPicture): PlannedChange[] {
  const { configuration, replaceDeadAfterMs, wishOf, isAlive, silentMs } = picture;
  const [heir] = candidates(picture);
  if (heir === undefined) return [];
  const dead = configuration.voters.filter((node) => !isAlive(node));
  const isDue = (node: NodeId): boolean =>
    wishOf(heir) === 'voter' || (replaceDeadAfterMs !== null && silentMs(node) >= replaceDeadAfterMs);
  return dead.filter(isDue).map((node) => ({
    why: 'replaceDead',
    nodes: [node, heir],
    change: {
      kind: 'replace',
      voters: [...configuration.voters.filter((voter) => voter !== node), heir],
      learners: [...configuration.learners.filter((learner) => learner !== heir), node],
    },
  }));
}

/** Learners that could vote at once; those that a user asked for come first. */
function candidates({ configuration, wishOf, isCaughtUp }: VoterPicture): readonly NodeId[] {
  const ready = configuration.learners.filter((node) => {
    const wish = wishOf(node);
    return wish !== 'learner' && wish !== 'leave' && isCaughtUp(node);
  });
  return ready.toSorted((a, b) => Number(wishOf(b) === 'voter') - Number(wishOf(a) === 'voter'));
}
