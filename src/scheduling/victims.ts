import type { JobId } from '../ids.ts';
import type { Job, LiveJob, Timestamp } from '../jobs/job.ts';
import { countPreemptions } from '../jobs/retry.ts';
import { LIMITS } from '../limits.ts';
import { add, amountOf, fits, type Resources, subtract, ZERO } from '../resources/resources.ts';
import { type ClusterState, settingsOf } from '../state/state.ts';

/** Attempts that are stopped at most to make room for one job. */
export const MAX_VICTIMS = 32;
/** What was told to stop for longer than this is not counted on any more. */
const ENDS_WITHIN_MS = 30_000;

/**
 * Why an attempt is not stopped for a job of higher priority. `ending`: it is being stopped already, or is one of those
 * that end soon: another is behind it, to take over its room, or it is behind another.
 */
export type Spared = 'queue' | 'retryNever' | 'preemptions' | 'ending';

/** @returns null: it may be stopped */
export function sparedBecause(state: Pick<ClusterState, 'queues' | 'successors'>, job: LiveJob): Spared | null {
  if (job.cancel !== null || job.preempt !== undefined || isInLine(state, job)) return 'ending';
  if (settingsOf(state, job.plan.queue).preemption !== 'requeue') return 'queue';
  if (job.spec.retry === 'never') return 'retryNever';
  return countPreemptions(job.past) >= LIMITS.preemptions ? 'preemptions' : null;
}

/** Jobs that wait for what this one does, most likely: they are not stopped for it. */
export function ancestorsOf({ jobs }: Pick<ClusterState, 'jobs'>, job: Pick<Job, 'plan'>): ReadonlySet<JobId> {
  const ancestors = new Set<JobId>();
  for (let id = job.plan.parent; id !== null && !ancestors.has(id); id = jobs.get(id)?.plan.parent ?? null) {
    ancestors.add(id);
  }
  return ancestors;
}

/** What attempts take that were told to stop a short while ago: it comes free by itself, but where others wait for it. */
export function comingFree(state: Pick<ClusterState, 'successors'>, jobs: Iterable<LiveJob>, at: Timestamp): Resources {
  let coming = ZERO;
  for (const job of jobs) {
    const told = job.cancel?.at ?? job.preempt?.at;
    if (told === undefined || at - told > ENDS_WITHIN_MS || isInLine(state, job)) continue;
    coming = add(coming, job.plan.demand);
  }
  return coming;
}

/** It takes over the room of another, or another takes over its own. */
function isInLine({ successors }: Pick<ClusterState, 'successors'>, { id, current }: LiveJob): boolean {
  return current.behind !== undefined || successors.has(id);
}

/**
 * Of attempts that may be stopped, those whose end makes room for a demand, at the least harm: of the lowest priority,
 * those that began last, and as few as do.
 * @param room that there is without, which must not be enough
 * @returns null: not even all of them are enough, or it takes more than `MAX_VICTIMS`
 */
export function chooseVictims(candidates: readonly LiveJob[], demand: Resources, room: Resources): LiveJob[] | null {
  const chosen: LiveJob[] = [];
  let made = room;
  for (const job of candidates.filter(({ plan }) => relieves(plan.demand, demand, room)).toSorted(compareHarm)) {
    if (chosen.length >= MAX_VICTIMS) return null;
    chosen.push(job);
    made = add(made, job.plan.demand);
    if (fits(demand, made)) return withoutNeedless(chosen, demand, made);
  }
  return null;
}

/** Less than 0: to stop these does less harm. */
export function compareVictims(a: readonly LiveJob[], b: readonly LiveJob[]): number {
  return highest(a) - highest(b) || a.length - b.length || earliest(b) - earliest(a);
}

/** What matters most is dropped first: room that others make with what they have beyond need. */
function withoutNeedless(chosen: readonly LiveJob[], demand: Resources, made: Resources): LiveJob[] {
  let left = made;
  return chosen
    .toReversed()
    .filter(({ plan }) => {
      const without = subtract(left, plan.demand);
      if (!fits(demand, without)) return true;
      left = without;
      return false;
    })
    .toReversed();
}

/** Whether its end gives some of what is missing. */
function relieves(given: Resources, wanted: Resources, room: Resources): boolean {
  return (
    (wanted.cpuMilli > room.cpuMilli && given.cpuMilli > 0) ||
    (wanted.memoryBytes > room.memoryBytes && given.memoryBytes > 0) ||
    (wanted.gpu > room.gpu && given.gpu > 0) ||
    (wanted.diskBytes > room.diskBytes && given.diskBytes > 0) ||
    Object.keys(given.custom).some(
      (name) => amountOf(wanted.custom, name) > amountOf(room.custom, name) && amountOf(given.custom, name) > 0,
    )
  );
}

function compareHarm(a: LiveJob, b: LiveJob): number {
  return a.plan.priority - b.plan.priority || beganAt(b) - beganAt(a) || b.sequence - a.sequence;
}

function highest(victims: readonly LiveJob[]): number {
  return Math.max(...victims.map(({ plan }) => plan.priority));
}

function earliest(victims: readonly LiveJob[]): Timestamp {
  return Math.min(...victims.map(beganAt));
}

function beganAt({ current }: LiveJob): Timestamp {
  return current.state === 'running' ? current.startedAt : current.assignedAt;
}
