import type { JobId, NodeId } from '../ids.ts';
import type { LiveJob } from '../jobs/job.ts';
import type { JobPlan } from '../jobs/plan.ts';
import { add, fits, type Resources, subtract } from '../resources/resources.ts';
import type { Command } from '../state/commands.ts';
import { type Allocation, type ClusterState, isLive } from '../state/state.ts';
import { schedule } from './place.ts';
import type { Random } from './rank.ts';

/** Jobs that are to wait behind others at one runner: as many as short ones end within a few entries of the log … */
const AHEAD_TOGETHER = 16;
/** … but no more behind each other: where one runs for long after all, those behind it have to go back. */
const AHEAD_EACH = 6;

type Assign = Extract<Command, { kind: 'assign' }>;

export interface FollowOnOptions {
  readonly random: Random;
  /** `some`: jobs there are short, so that more are placed than there is room for, each behind one that has room. */
  readonly ahead: 'some' | 'none';
}

/**
 * What may start in the room that these jobs free on a runner, to be proposed in one breath with their ends: the next
 * in order that fits there, but for room that another takes over already. A guess like any placement: where another
 * took the job or the room first, apply refuses it and the leader's scheduler goes on.
 */
export function followOn(
  state: ClusterState,
  runner: NodeId,
  ending: readonly JobId[],
  { random, ahead }: FollowOnOptions,
): readonly Assign[] {
  const allocation = state.allocations.get(runner);
  if (allocation === undefined || state.queue.size === 0) return [];
  const ends = new Set(ending);
  const room = roomAfter(state, allocation, ends);
  // What a job has claimed there is not given to it before it is free: others were stopped for it.
  const isClaimed = allocation.claims !== undefined;
  const depth = ahead === 'some' && !isClaimed ? depthFor(room.lines.length + room.freed.length) : 0;
  const wanted = room.lines.flatMap(({ isQuick, waiting, demand }) =>
    isQuick && waiting < depth ? times(depth - waiting, demand) : [],
  );
  wanted.push(...room.freed.flatMap((demand) => times(depth, demand)));
  const free = wanted.reduce(add, room.free);
  const only = { ...allocation, free, jobs: room.staying };
  const chosen = schedule(state, { limit: ends.size + wanted.length, random, ending: room.plans, only });
  return depth === 0 ? chosen : lineUp(state, room, chosen, { depth, places: ends.size });
}

function depthFor(rooms: number): number {
  return Math.min(AHEAD_EACH, Math.max(1, Math.ceil(AHEAD_TOGETHER / Math.max(rooms, 1))));
}

function times<Value>(count: number, value: Value): Value[] {
  return Array.from({ length: count }, () => value);
}

/** Those that share one room, one after another. */
interface Line {
  last: JobId;
  /** Of the last one. */
  demand: Resources;
  /** Behind the first. */
  waiting: number;
  /** The first may be at its end soon, as far as is known: who is known to run for a while is not quick. */
  readonly isQuick: boolean;
}

interface RoomAfter {
  readonly free: Resources;
  readonly staying: Set<JobId>;
  readonly lines: readonly Line[];
  /** What those had that nobody takes over from. */
  readonly freed: readonly Resources[];
  /** Of those that end, each once. */
  readonly plans: readonly JobPlan[];
}

function roomAfter(state: ClusterState, allocation: Allocation, ending: ReadonlySet<JobId>): RoomAfter {
  const lines: Line[] = [];
  const plans: JobPlan[] = [];
  const freed: Resources[] = [];
  const staying = new Set<JobId>();
  let { free } = allocation;
  for (const id of allocation.jobs) {
    const first = liveJob(state, id);
    if (first === null || first.current.behind !== undefined) continue;
    const stays: LiveJob[] = [];
    for (let job: LiveJob | null = first; job !== null; job = liveJob(state, state.successors.get(job.id))) {
      if (ending.has(job.id)) plans.push(job.plan);
      else stays.push(job);
    }
    free = add(free, first.plan.demand);
    for (const job of stays) staying.add(job.id);
    const [head] = stays;
    const last = stays.at(-1);
    if (head === undefined || last === undefined) {
      freed.push(first.plan.demand);
      continue;
    }
    free = subtract(free, head.plan.demand);
    // Who brings inputs may be a while before it begins at all.
    const isBringing = stays.some(({ spec }) => spec.inputs !== undefined);
    const isQuick = head.state === 'assigned' && last.cancel === null && !isBringing;
    lines.push({ last: last.id, demand: last.plan.demand, waiting: stays.length - 1, isQuick });
  }
  return { free, staying, lines, freed, plans };
}

/** Gives room of their own to those for which there is some, and puts the others behind one each. */
function lineUp(
  state: ClusterState,
  room: RoomAfter,
  chosen: readonly Assign[],
  { depth, places }: { readonly depth: number; readonly places: number },
): readonly Assign[] {
  const lines = room.lines.filter(({ isQuick }) => isQuick);
  const commands: Assign[] = [];
  let { free } = room;
  let placed = 0;
  for (const command of chosen) {
    const job = state.jobs.get(command.job);
    if (job === undefined) continue;
    const { demand } = job.plan;
    if (placed < places && fits(demand, free)) {
      placed += 1;
      free = subtract(free, demand);
      lines.push({ last: job.id, demand, waiting: 0, isQuick: true });
      commands.push(command);
      continue;
    }
    const line = shortest(lines, demand, depth);
    if (line === null) continue;
    commands.push({ ...command, behind: line.last });
    line.last = job.id;
    line.demand = demand;
    line.waiting += 1;
  }
  return commands;
}

function shortest(lines: readonly Line[], demand: Resources, depth: number): Line | null {
  let best: Line | null = null;
  for (const line of lines) {
    if (line.waiting >= depth || !fits(demand, line.demand)) continue;
    if (best === null || line.waiting < best.waiting) best = line;
  }
  return best;
}

function liveJob({ jobs }: ClusterState, id: JobId | undefined): LiveJob | null {
  const job = id === undefined ? undefined : jobs.get(id);
  return job !== undefined && isLive(job) ? job : null;
}
