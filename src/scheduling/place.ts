import { assert } from '../errors.ts';
import type { NodeId } from '../ids.ts';
import { attemptOf } from '../jobs/lifecycle.ts';
import type { JobPlan } from '../jobs/plan.ts';
import type { Command, Placement } from '../state/commands.ts';
import { nothingWaitsAhead } from '../state/placement.ts';
import type { Allocation, ClusterState } from '../state/state.ts';
import { accepts, hasRoom } from './feasibility.ts';
import { HeadsInOrder } from './heads-in-order.ts';
import type { JobClass } from './queue-order.ts';
import { COMPARE_ALL_UP_TO, pickBest, type Random, takenShare } from './rank.ts';
import { Seats, type SeatAtRunner, seatOf } from './seats.ts';

/** Random runners that are looked at for two that have room, before all of them are. */
const PROBES = 16;
/** Comparisons of a class of jobs with a runner in one call, about 20 ms of them. */
const MAX_CHECKS = 500_000;
/** Where those were not enough for all classes in order, so many others get a chance in one call. */
const SAMPLED_CLASSES = 8;

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
export function schedule(
  state: ClusterState,
  options: { readonly limit: number; readonly random: Random },
): Extract<Command, { kind: 'assign' }>[] {
  const { queue } = state;
  const commands: Extract<Command, { kind: 'assign' }>[] = [];
  if (queue.size === 0) return commands;
  const seats = new Seats(state.allocationList, options.random);
  const heads = new HeadsInOrder(queue.classes.values());
  const opened = new Map<JobClass, SeatAtRunner[]>();
  let checks = 0;
  while (commands.length < options.limit && checks < MAX_CHECKS) {
    const head = heads.next();
    if (head === null) return commands;
    let candidates = opened.get(head.jobClass);
    if (candidates === undefined) {
      checks += 1 + seats.count;
      candidates = seats.candidatesFor(head.jobClass);
      opened.set(head.jobClass, candidates);
    }
    const placement = seats.take(candidates, head.jobClass);
    if (placement === null) heads.drop(head);
    else {
      commands.push(assignment(head.job, placement));
      heads.advance(head);
    }
  }
  if (checks >= MAX_CHECKS) placeSamples(state, seats, opened, options, commands);
  return commands;
}

/** Keeps classes at the back from waiting for ever behind more of them than one call can look at. */
function placeSamples(
  state: ClusterState,
  seats: Seats,
  opened: ReadonlyMap<JobClass, unknown>,
  { limit, random }: { readonly limit: number; readonly random: Random },
  commands: Extract<Command, { kind: 'assign' }>[],
): void {
  const sampled = new Set<JobClass>();
  for (let i = 0; i < SAMPLED_CLASSES; i += 1) {
    const jobClass = state.queue.classes.sample(random());
    if (jobClass !== undefined && !opened.has(jobClass)) sampled.add(jobClass);
  }
  for (const jobClass of sampled) {
    const first = jobClass.jobs.first();
    assert(first !== undefined, 'a class of the queue holds a job');
    const placement = commands.length < limit ? seats.take(seats.candidatesFor(jobClass), jobClass) : null;
    if (placement !== null) commands.push(assignment(first, placement));
  }
}

function assignment(job: Parameters<typeof attemptOf>[0], placement: Placement) {
  return { kind: 'assign', job: job.id, attempt: attemptOf(job), placement } as const;
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
