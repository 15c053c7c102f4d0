import type { JobId } from '../ids.ts';
import type { QueuedJob } from '../jobs/job.ts';
import { attemptOf } from '../jobs/lifecycle.ts';
import type { JobPlan } from '../jobs/plan.ts';
import type { Command, Placement } from '../state/commands.ts';
import { nothingWaitsAhead } from '../state/placement.ts';
import { type Allocation, type ClusterState, settingsOf } from '../state/state.ts';
import { roomFor } from './claims.ts';
import { accepts, hasRoom } from './feasibility.ts';
import type { JobClass } from './lane.ts';
import type { LoadOf } from './measured-load.ts';
import { MOST_UNPLACED, preempt } from './preemption.ts';
import { COMPARE_ALL_UP_TO, pickBest, PROBES, type Random } from './rank.ts';
import { demandsKeeping, reserve } from './reservation.ts';
import { costOf, type Search, seatOf, Seats } from './seats.ts';
import { type Shared, type Turn, Turns } from './turns.ts';

/** Comparisons of a class of jobs with a runner in one call: some ten milliseconds of them … */
const MAX_CHECKS = 2_000_000;
/** … for one runner alone fewer: what it leaves out the leader looks at … */
const MAX_CHECKS_ALONE = 50_000;
/** … of which to look at a class costs as much as so many. */
const CLASS_CHECKS = 100;
/** Where those were not enough for all classes in order, so many others get a chance in one call. */
const SAMPLED_CLASSES = 8;

type Assign = Extract<Command, { kind: 'assign' }>;
type Preempt = Extract<Command, { kind: 'preempt' }>;

const NO_LOAD: LoadOf = () => 0;

/** Of a job that is submitted now. */
const NEW_JOB = '' as JobId;

/** What the scheduler looks at: who waits, what runs already, and where there is room. */
export type Schedulable = Shared & Pick<ClusterState, 'allocationList' | 'cluster'>;

export interface ScheduleOptions {
  /** Of assignments. */
  readonly limit: number;
  readonly random: Random;
  /** Where the machines are busier than the state says; left out: nowhere. */
  readonly load?: LoadOf;
  /** Jobs that end in the same breath: what they take no longer counts for their queues and projects. */
  readonly ending?: readonly JobPlan[];
  /** One runner as it is about to be, in place of all. */
  readonly only?: Allocation;
}

/**
 * The fast path of the accepting node: a runner for a job that is submitted now, as far as this node's state knows.
 * @param load where the machines are busier than the state says
 * @returns null when something waits ahead of it, or no runner has room: the job is then queued
 */
export function placeOne(state: ClusterState, plan: JobPlan, random: Random, load: LoadOf = NO_LOAD): Placement | null {
  if (!nothingWaitsAhead(state, plan)) return null;
  const job: NewJob = { plan, id: NEW_JOB, sequence: Infinity };
  const seats = findCandidates(state.allocationList, job, random).map((allocation) =>
    seatOf(allocation, roomFor(job, allocation), load),
  );
  const { strategy } = settingsOf(state, plan.queue);
  return pickBest(seats, (seat) => costOf(seat, plan.demand, strategy), random)?.placement ?? null;
}

/**
 * The leader's decisions for what is queued, turn by turn, against what is free in this state less what the decisions
 * before took. A job that fits nowhere is passed by those behind it; when it has waited for long, not on a runner that is
 * kept for it.
 */
export function schedule(state: Schedulable, options: ScheduleOptions): Assign[] {
  return state.queue.size === 0 ? [] : playRound(state, options).commands;
}

/**
 * The same, and where jobs find no room, which attempts of lower priority are to be stopped for them: those of queues
 * that allow it, where no room comes free without.
 */
export function scheduleWithPreemption(state: Preemptable, options: ScheduleOptions): (Assign | Preempt)[] {
  return scheduleRound(state, options).commands;
}

type Preemptable = Schedulable & Pick<ClusterState, 'jobs' | 'successors'>;

/** @returns `rest`: whether another round would find more as soon as these are applied, though nothing else happens */
export function scheduleRound(
  state: Preemptable,
  options: ScheduleOptions,
): { readonly commands: (Assign | Preempt)[]; readonly rest: 'now' | 'later' } {
  if (state.queue.size === 0) return { commands: [], rest: 'later' };
  const round = playRound(state, options);
  const { seats, turns, unplaced } = round;
  const commands = [...round.commands, ...preempt(state, { seats, turns, unplaced, random: options.random })];
  return { commands, rest: commands.length >= options.limit || seats.keepsTooMany ? 'now' : 'later' };
}

function playRound(state: Schedulable, options: ScheduleOptions): Round {
  const turns = new Turns(state, options.ending ?? []);
  const { only, random, load: loadOf = NO_LOAD } = options;
  const seats = new Seats(only === undefined ? state.allocationList : [only], { random, loadOf });
  const round: Round = {
    turns,
    seats,
    searches: new Map(),
    seen: new Set(),
    priority: Infinity,
    commands: [],
    unplaced: [],
  };
  const maxChecks = options.only === undefined ? MAX_CHECKS : MAX_CHECKS_ALONE;
  while (round.commands.length < options.limit) {
    if (seats.checks + turns.passed * CLASS_CHECKS > maxChecks) {
      placeSamples(state, round, options);
      break;
    }
    const turn = turns.next();
    if (turn === null) break;
    reserveFor(state, round, options, turn);
    round.seen.add(turn.jobClass);
    const placement =
      seats.takeOwn(turn.job) ??
      seats.take(searchFor(turn.jobClass, round), turn.strategy) ??
      seats.takeClaimed(turn.job);
    if (placement === null) {
      if (round.unplaced.length < MOST_UNPLACED) round.unplaced.push(turn);
      turns.pass();
    } else {
      round.commands.push(assignment(turn.job, placement));
      seats.dropClaim(turn.job);
      turns.serve();
    }
  }
  placeClaimants(round, options.limit);
  return round;
}

/** One call of the scheduler. */
interface Round {
  readonly turns: Turns;
  readonly seats: Seats;
  /** By the key of the class: where one lane's jobs find no room, another's that ask for the same do not either. */
  readonly searches: Map<string, Search>;
  /** Whose turn has come. */
  readonly seen: Set<JobClass>;
  /** Of the turns that come now: none comes any more that is higher. */
  priority: number;
  readonly commands: Assign[];
  /** The first turns for which there was no room. */
  readonly unplaced: Turn[];
}

/** Room that was made for a job is given to it, also where others of its class that come before it found none. */
function placeClaimants({ seats, turns, commands }: Round, limit: number): void {
  if (seats.claimants.length === 0) return;
  const placed = new Set(commands.map(({ job }) => job));
  for (const job of seats.claimants) {
    if (placed.has(job.id)) continue;
    const mayStart = commands.length < limit && turns.strategyFor(job.plan, job.plan) !== null;
    const placement = mayStart ? seats.takeOwn(job) : null;
    if (placement !== null) commands.push(assignment(job, placement));
    turns.serveOutOfTurn(job.plan, job.plan);
  }
}

/** Before the first turn of each priority: what is higher has had its turn already. */
function reserveFor(state: Schedulable, round: Round, { only, limit }: ScheduleOptions, { job }: Turn): void {
  const { priority } = job.plan;
  if (priority === round.priority) return;
  round.priority = priority;
  const near = round.turns.near();
  if (only === undefined) {
    for (const { allocation, demand } of reserve(state, near, priority, limit)) {
      round.seats.keep(allocation, demand);
    }
  } else for (const demand of demandsKeeping(only, state, near, priority)) round.seats.keep(only, demand);
}

function searchFor(jobClass: JobClass, { seats, searches }: Round): Search {
  const known = searches.get(jobClass.key);
  if (known !== undefined) return known;
  const made = seats.search(jobClass);
  searches.set(jobClass.key, made);
  return made;
}

/** Keeps classes at the back from waiting for ever behind more of them than one call can look at. */
function placeSamples(state: Schedulable, round: Round, { limit, random }: ScheduleOptions): void {
  const { turns, seats, seen, commands } = round;
  for (let i = 0; i < SAMPLED_CLASSES && commands.length < limit; i += 1) {
    const within = random();
    const lane = state.queue.sampleLane(random());
    const jobClass = lane?.classes.sample(within);
    const first = jobClass?.jobs.first();
    if (lane === undefined || jobClass === undefined || first === undefined || seen.has(jobClass)) continue;
    seen.add(jobClass);
    const strategy = turns.strategyFor(lane, jobClass);
    const placement = strategy === null ? null : seats.take(searchFor(jobClass, round), strategy);
    if (placement === null) continue;
    commands.push(assignment(first, placement));
    turns.serveOutOfTurn(lane, jobClass);
  }
}

function assignment(job: QueuedJob, placement: Placement): Assign {
  return { kind: 'assign', job: job.id, attempt: attemptOf(job), placement };
}

/** All that have room when runners are few; two random ones when they are many. */
function findCandidates(runners: readonly Allocation[], job: NewJob, random: Random): readonly Allocation[] {
  if (runners.length > COMPARE_ALL_UP_TO) {
    const found = probe(runners, job, random);
    if (found.size > 0) return [...found];
  }
  return runners.filter((allocation) => canTake(allocation, job));
}

function probe(runners: readonly Allocation[], job: NewJob, random: Random): Set<Allocation> {
  const found = new Set<Allocation>();
  for (let probes = 0; probes < PROBES && found.size < 2; probes += 1) {
    const allocation = runners[Math.floor(random() * runners.length)];
    if (allocation !== undefined && canTake(allocation, job)) found.add(allocation);
  }
  return found;
}

type NewJob = Pick<QueuedJob, 'id' | 'plan' | 'sequence'>;

function canTake(allocation: Allocation, job: NewJob): boolean {
  const { record, jobs } = allocation;
  const { plan } = job;
  return accepts(record, plan) && hasRoom({ free: roomFor(job, allocation), attempts: jobs.size }, plan);
}
