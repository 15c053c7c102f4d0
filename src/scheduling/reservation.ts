import type { Timestamp } from '../jobs/job.ts';
import { fits, type Resources } from '../resources/resources.ts';
import type { Allocation, ClusterState } from '../state/state.ts';
import type { Wanted } from './feasibility.ts';
import type { JobClass, Lane } from './lane.ts';
import { lackOf, RoomTable } from './room-table.ts';

/** A job that waited longer for a runner, and whose turn it is or nearly is, has one kept for it. */
export const RESERVE_AFTER_MS = 60_000;
/** Of all runners one in so many is kept at a time, and of those that could hold one kind of jobs; at the least one … */
const RUNNERS_PER_RESERVATION = 8;
/** … and so many at the most for one kind. */
const MOST_RESERVED = 128;
/** Runners with which one is compared that is looked at alone. */
const COMPARED = 256;
/** Classes at the front of each lane that are looked at. */
const CLASSES_PER_LANE = 8;
/** Kinds of demand for which runners are kept in one call. */
const MOST_KINDS = 8;

/** A lane whose first job has its turn, or would have but for what the job itself asks for. */
export interface NearTurn {
  readonly lane: Lane;
  readonly turn: 'next' | 'near';
}

/** From now on the runner takes no job that asks for less of anything than `demand`. */
export interface Reservation {
  readonly allocation: Allocation;
  readonly demand: Resources;
}

/** Jobs of one demand, the first of which has waited for long. */
interface Kind {
  readonly wanted: Wanted;
  /** Whether one of them is next. */
  turn: NearTurn['turn'];
  waitingSince: Timestamp;
  jobs: number;
}

type Cluster = Pick<ClusterState, 'cluster' | 'queue' | 'allocationList'>;

/**
 * Runners on which room gathers for jobs that smaller ones pass: those that lack the least. What is free there is kept,
 * so that they lack the least in the next call, too; jobs that ask for as much may have it, in their turn.
 *
 * @param near the lanes of one priority
 * @param limit of placements in this call: a job for which more runners have room needs none kept
 */
export function reserve(
  { cluster, queue, allocationList }: Cluster,
  near: readonly NearTurn[],
  priority: number,
  limit: number,
): readonly Reservation[] {
  if (cluster === null) return [];
  const kinds = passedKinds(queue, near, priority, cluster.clock - RESERVE_AFTER_MS);
  if (kinds.length === 0) return [];
  const table = new RoomTable(allocationList);
  const choices = kinds.map((kind) => {
    const { nearest, able } = table.nearest(kind.wanted, mostOf, limit);
    return { kind, nearest: able > 1 || isKeptAlone(kind, cluster.clock) ? nearest : [] };
  });
  const most = Math.ceil(allocationList.length / RUNNERS_PER_RESERVATION);
  const kept = new Map<Allocation, Resources>();
  // One for each kind, then another for each, so that none takes all.
  for (let round = 0; choices.some(({ nearest }) => round < nearest.length); round += 1) {
    for (const { kind, nearest } of choices) {
      if (round >= Math.min(kind.jobs, nearest.length) || kept.size >= most) continue;
      const allocation = nearest.find((one) => !kept.has(one));
      if (allocation !== undefined) kept.set(allocation, kind.wanted.demand);
    }
  }
  return [...kept].map(([allocation, demand]) => ({ allocation, demand }));
}

/**
 * The same for one runner alone, as it is about to be: where fewer than may be kept lack less than it, it is kept.
 * @returns for which demands
 */
export function demandsKeeping(
  only: Allocation,
  { cluster, queue, allocationList }: Cluster,
  near: readonly NearTurn[],
  priority: number,
): readonly Resources[] {
  if (cluster === null) return [];
  const kinds = passedKinds(queue, near, priority, cluster.clock - RESERVE_AFTER_MS);
  const { clock } = cluster;
  return kinds.filter((kind) => isAmongNearest(only, allocationList, kind, clock)).map(({ wanted }) => wanted.demand);
}

/** Whether a runner that is kept for a demand takes such a job all the same. */
export function mayTake(kept: Resources, { demand }: Wanted): boolean {
  return fits(kept, demand);
}

function mostOf(able: number): number {
  return Math.min(MOST_RESERVED, Math.ceil(able / RUNNERS_PER_RESERVATION));
}

/**
 * Others have nowhere else to go where one runner alone could hold such jobs. Unless one of these is next, they and the
 * others have it by turns: for a minute, then not for two, then for four. So either comes to it, however long what runs
 * there takes.
 */
function isKeptAlone({ turn, waitingSince }: Kind, now: Timestamp): boolean {
  return turn === 'next' || Math.floor(Math.log2((now - waitingSince) / RESERVE_AFTER_MS)) % 2 === 0;
}

/** Of many runners some are compared, which is near enough: what is left idle here the leader gives away. */
function isAmongNearest(only: Allocation, allocations: readonly Allocation[], kind: Kind, now: Timestamp): boolean {
  const lack = lackOf(only, kind.wanted);
  if (lack === Infinity) return false;
  const step = Math.ceil(allocations.length / COMPARED);
  const most = Math.min(kind.jobs, mostOf(allocations.length));
  let nearer = 0;
  let others = 0;
  for (let at = 0; at < allocations.length; at += step) {
    const other = allocations[at] as Allocation;
    if (other.record.id === only.record.id) continue;
    const its = lackOf(other, kind.wanted);
    if (its !== Infinity) others += step;
    if (its < lack || (its === lack && other.lot < only.lot)) nearer += step;
    if (nearer >= most) return false;
  }
  return others > 0 || isKeptAlone(kind, now);
}

/** Those that others pass, which ask for less; what waits for longest first. */
function passedKinds(queue: Cluster['queue'], near: readonly NearTurn[], priority: number, since: Timestamp): Kind[] {
  return kindsThatWait(near, priority, since)
    .filter(({ wanted }) => isPassed(queue, wanted))
    .toSorted((a, b) => a.waitingSince - b.waitingSince)
    .slice(0, MOST_KINDS);
}

function isPassed({ queues }: Cluster['queue'], wanted: Wanted): boolean {
  for (const { lanes } of queues.values()) {
    for (const lane of lanes.values()) {
      for (const other of firstClassesOf(lane)) if (!mayTake(wanted.demand, other)) return true;
    }
  }
  return false;
}

function* firstClassesOf({ classes }: Lane): Generator<JobClass, undefined> {
  let looked = 0;
  for (const jobClass of classes.values()) {
    if (looked === CLASSES_PER_LANE) break;
    looked += 1;
    yield jobClass;
  }
  return undefined;
}

function kindsThatWait(near: readonly NearTurn[], priority: number, since: Timestamp): Kind[] {
  const kinds = new Map<string, Kind>();
  for (const { lane, turn } of near) {
    for (const jobClass of firstClassesOf(lane)) {
      const first = jobClass.jobs.first();
      if (first === undefined || first.plan.priority !== priority || first.queuedAt > since) continue;
      if (first.claim !== undefined) continue;
      const kind = kinds.get(jobClass.key) ?? { wanted: jobClass, turn, waitingSince: first.queuedAt, jobs: 0 };
      kinds.set(jobClass.key, kind);
      if (turn === 'next') kind.turn = turn;
      kind.waitingSince = Math.min(kind.waitingSince, first.queuedAt);
      kind.jobs += jobClass.jobs.size;
    }
  }
  return [...kinds.values()];
}
