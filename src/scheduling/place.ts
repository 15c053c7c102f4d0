import type { NodeId } from '../ids.ts';
import type { QueuedJob } from '../jobs/job.ts';
import { attemptOf } from '../jobs/lifecycle.ts';
import type { JobPlan } from '../jobs/plan.ts';
import type { Command, Placement } from '../state/commands.ts';
import { nothingWaitsAhead } from '../state/placement.ts';
import type { Allocation, ClusterState } from '../state/state.ts';
import { accepts, hasRoom } from './feasibility.ts';
import { HeadsInOrder } from './heads-in-order.ts';
import type { JobClass } from './queue-order.ts';
import { COMPARE_ALL_UP_TO, pickBest, PROBES, type Random, takenShare } from './rank.ts';
import { type Search, type SeatAtRunner, seatOf, Seats } from './seats.ts';

/** Comparisons of a class of jobs with a runner in one call: some ten milliseconds of them … */
const MAX_CHECKS = 2_000_000;
/** … of which to look at a class costs as much as so many. */
const CLASS_CHECKS = 50;
/** Where those were not enough for all classes in order, so many others get a chance in one call. */
const SAMPLED_CLASSES = 8;

type Assign = Extract<Command, { kind: 'assign' }>;

/** What the scheduler looks at: who waits, and where there is room. */
export type Schedulable = Pick<ClusterState, 'queue' | 'allocationList'>;

/**
 * The fast path of the accepting node: a runner for a job that is submitted now, as far as this node's state knows.
 * @param load how busy a machine says it is, from 0; 0 when nothing fresh is known
 * @returns null when something waits ahead of it, or no runner has room: the job is then queued
 */
export function placeOne(
  state: ClusterState,
  plan: JobPlan,
  random: Random,
  load: (runner: NodeId) => number = () => 0,
): Placement | null {
  if (!nothingWaitsAhead(state, plan)) return null;
  const candidates = findCandidates(state.allocationList, plan, random);
  const shareOf = (seat: SeatAtRunner): number => takenShare(seat, plan.demand) + load(seat.placement.runner);
  return pickBest(candidates, shareOf, random)?.placement ?? null;
}

/**
 * The leader's decisions for what is queued, in order, against what is free in this state less what the decisions
 * before took. A job that fits nowhere is passed by those behind it.
 *
 * @param options.limit of assignments
 */
export function schedule(state: Schedulable, options: { readonly limit: number; readonly random: Random }): Assign[] {
  const { queue } = state;
  const commands: Assign[] = [];
  if (queue.size === 0) return commands;
  const seats = new Seats(state.allocationList, options.random);
  const heads = new HeadsInOrder(queue.classes.values());
  const searches = new Map<JobClass, Search>();
  while (commands.length < options.limit) {
    if (seats.checks + searches.size * CLASS_CHECKS > MAX_CHECKS) {
      placeSamples(state, { seats, searches, commands }, options);
      break;
    }
    const head = heads.next();
    if (head === null) break;
    const placement = seats.take(searchFor(head.jobClass, seats, searches));
    if (placement === null) heads.drop(head);
    else {
      commands.push(assignment(head.job, placement));
      heads.advance(head);
    }
  }
  return commands;
}

function searchFor(jobClass: JobClass, seats: Seats, searches: Map<JobClass, Search>): Search {
  const known = searches.get(jobClass);
  if (known !== undefined) return known;
  const made = seats.search(jobClass);
  searches.set(jobClass, made);
  return made;
}

/** Keeps classes at the back from waiting for ever behind more of them than one call can look at. */
function placeSamples(
  state: Schedulable,
  round: { readonly seats: Seats; readonly searches: Map<JobClass, Search>; readonly commands: Assign[] },
  { limit, random }: { readonly limit: number; readonly random: Random },
): void {
  const { seats, searches, commands } = round;
  for (let i = 0; i < SAMPLED_CLASSES && commands.length < limit; i += 1) {
    const jobClass = state.queue.classes.sample(random());
    const first = jobClass?.jobs.first();
    if (jobClass === undefined || first === undefined || searches.has(jobClass)) continue;
    const placement = seats.take(searchFor(jobClass, seats, searches));
    if (placement !== null) commands.push(assignment(first, placement));
  }
}

function assignment(job: QueuedJob, placement: Placement): Assign {
  return { kind: 'assign', job: job.id, attempt: attemptOf(job), placement };
}

/** All that have room when runners are few; two random ones when they are many. */
function findCandidates(runners: readonly Allocation[], plan: JobPlan, random: Random): SeatAtRunner[] {
  if (runners.length > COMPARE_ALL_UP_TO) {
    const found = probe(runners, plan, random);
    if (found.size > 0) return [...found].map(seatOf);
  }
  return runners.filter((allocation) => canTake(allocation, plan)).map(seatOf);
}

function probe(runners: readonly Allocation[], plan: JobPlan, random: Random): Set<Allocation> {
  const found = new Set<Allocation>();
  for (let probes = 0; probes < PROBES && found.size < 2; probes += 1) {
    const allocation = runners[Math.floor(random() * runners.length)];
    if (allocation !== undefined && canTake(allocation, plan)) found.add(allocation);
  }
  return found;
}

function canTake({ record, free, jobs }: Allocation, plan: JobPlan): boolean {
  return accepts(record, plan) && hasRoom({ free, attempts: jobs.size }, plan);
}
