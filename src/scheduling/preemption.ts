import type { LiveJob, QueuedJob } from '../jobs/job.ts';
import { attemptOf } from '../jobs/lifecycle.ts';
import { add, fits, type Resources, ZERO } from '../resources/resources.ts';
import type { Command } from '../state/commands.ts';
import { type Allocation, type ClusterState, isLive, settingsOf } from '../state/state.ts';
import { accepts } from './feasibility.ts';
import type { Random } from './rank.ts';
import type { Seats } from './seats.ts';
import type { Shared, Turn, Turns } from './turns.ts';
import { ancestorsOf, chooseVictims, comingFree, compareVictims, sparedBecause } from './victims.ts';

type Preempt = Extract<Command, { kind: 'preempt' }>;

/** Classes without room that one call looks at, and jobs for which it has others stopped. */
export const MOST_UNPLACED = 16;
const MOST_PREEMPTIONS = 16;
/** Runners and live attempts that one call looks at, beginning anywhere: a few milliseconds. Each class gets its part. */
export const MOST_LOOKED_AT = 20_000;

type Preemptable = Shared & Pick<ClusterState, 'jobs' | 'allocationList' | 'cluster' | 'successors'>;

/** What a call of the scheduler has come to. */
export interface Outlook {
  readonly seats: Seats;
  readonly turns: Turns;
  /** In the order of their turns. */
  readonly unplaced: readonly Turn[];
  readonly random: Random;
}

/** For the jobs of one class. */
interface VictimSearch extends Pick<Outlook, 'seats' | 'random'> {
  readonly stopping: ReadonlySet<LiveJob>;
  /** How much it may look at. */
  left: number;
}

interface Choice {
  readonly allocation: Allocation;
  readonly victims: readonly LiveJob[];
}

/** For jobs that found no room: which attempts are to be stopped. What is decided for one counts for the next. */
export function preempt(state: Preemptable, { seats, turns, unplaced, random }: Outlook): Preempt[] {
  const commands: Preempt[] = [];
  const stopping = new Set<LiveJob>();
  const lowest = lowestPriority(state);
  const classes = unplaced.filter(({ job }) => job.plan.priority > lowest).map(({ jobClass }) => jobClass);
  for (const jobClass of classes) {
    const search: VictimSearch = { seats, stopping, random, left: MOST_LOOKED_AT / classes.length };
    for (const job of jobClass.jobs.values()) {
      if (job.plan.priority <= lowest || commands.length >= MOST_PREEMPTIONS) break;
      if (job.claim !== undefined) continue;
      if (turns.strategyFor(job.plan, job.plan) === null) break;
      const choice = chooseRunner(state, job, search);
      if (choice === null) break;
      commands.push(commandFor(job, choice));
      for (const victim of choice.victims) stopping.add(victim);
      seats.exchange(choice.allocation, demandOf(choice.victims), job.plan.demand);
      turns.serveOutOfTurn(job.plan, job.plan);
    }
  }
  return commands;
}

/** The lowest priority of what runs in queues that allow it; none: above all. Most calls end here. */
export function lowestPriority({ queues, use }: Shared): number {
  let lowest = Infinity;
  for (const [name, { livePriorities }] of use.queues) {
    if (settingsOf({ queues }, name).preemption !== 'requeue') continue;
    for (const priority of livePriorities.keys()) lowest = Math.min(lowest, priority);
  }
  return lowest;
}

/** Where the least harm makes room; null: nowhere, or room comes free without. */
function chooseRunner(state: Preemptable, job: QueuedJob, search: VictimSearch): Choice | null {
  const { seats, stopping, random } = search;
  const { allocationList, jobs, cluster } = state;
  const { demand, priority } = job.plan;
  const ancestors = ancestorsOf({ jobs }, job);
  const offset = Math.floor(random() * allocationList.length);
  let best: Choice | null = null;
  for (let i = 0; i < allocationList.length && search.left > 0; i += 1) {
    search.left -= 1;
    const allocation = allocationList[(offset + i) % allocationList.length] as Allocation;
    if (!accepts(allocation.record, job.plan) || !fits(demand, allocation.record.total)) continue;
    const free = seats.roomFor(allocation, job);
    if (free === null) continue;
    search.left -= allocation.jobs.size;
    const held = [...allocation.jobs].map((id) => jobs.get(id)).filter((other) => other !== undefined && isLive(other));
    const room = add(free, comingFree(state, held, cluster?.clock ?? 0));
    if (fits(demand, room)) return null;
    const candidates = held.filter(
      (other) =>
        other.plan.priority < priority &&
        !stopping.has(other) &&
        !ancestors.has(other.id) &&
        sparedBecause(state, other) === null,
    );
    const victims = chooseVictims(candidates, demand, room);
    if (victims === null) continue;
    if (best === null || compareVictims(victims, best.victims) < 0) best = { allocation, victims };
  }
  return best;
}

function commandFor(job: QueuedJob, { allocation, victims }: Choice): Preempt {
  const { id: runner, incarnation } = allocation.record;
  return {
    kind: 'preempt',
    job: job.id,
    attempt: attemptOf(job),
    placement: { runner, incarnation },
    victims: victims.map(({ id, current }) => ({ job: id, attempt: current.attempt })),
  };
}

function demandOf(jobs: readonly LiveJob[]): Resources {
  return jobs.reduce((sum, { plan }) => add(sum, plan.demand), ZERO);
}
