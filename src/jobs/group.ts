import type { GroupId } from '../ids.ts';
import { type Job, JOB_STATES, type JobState, type Moment, type Timestamp } from './job.ts';

/** How many jobs of a group are in each state. */
export type GroupCounts = Readonly<Record<JobState, number>>;

export interface GroupSpec {
  readonly name: string | null;
  readonly project: string;
  readonly labels: Readonly<Record<string, string>>;
  /** How many of its jobs are queued or run at once; null: as many as there are. */
  readonly maxRunning: number | null;
  /** `cancel`: the first job that ends in any other way than succeeded or cancelled cancels the others. */
  readonly onFailure: 'continue' | 'cancel';
}

export interface GroupCancellation {
  readonly at: Timestamp;
  readonly by: string;
  /** The sequence of the last job that it is for: one that a client had tried again since goes on. */
  readonly through?: number;
}

interface GroupBase extends GroupSpec {
  readonly id: GroupId;
  readonly createdBy: string;
  readonly createdAt: Timestamp;
  readonly counts: GroupCounts;
  /** Why its jobs were cancelled together; null: they were not. */
  readonly cancelled: GroupCancellation | null;
  /** The log index of the entry that last changed it. */
  readonly index: number;
}

/** A set of jobs that takes more until it is closed, and is finished once it is closed and all its jobs are final. */
export type Group =
  | (GroupBase & { readonly state: 'open' | 'closed' })
  | (GroupBase & { readonly state: 'finished'; readonly finishedAt: Timestamp });

export function createGroup(id: GroupId, spec: GroupSpec, createdBy: string, now: Moment): Group {
  const counts = Object.fromEntries(JOB_STATES.map((state) => [state, 0])) as Record<JobState, number>;
  const { at: createdAt, index } = now;
  return { ...spec, id, createdBy, createdAt, counts, cancelled: null, index, state: 'open' };
}

/** It takes no more jobs. */
export function closeGroup(group: Group, now: Moment): Group {
  return group.state === 'open' ? settle({ ...group, state: 'closed', index: now.index }, now) : group;
}

/** It takes no more jobs, and those that it has are to be cancelled: again those that came back since the last time. */
export function cancelGroup(group: Group, by: string, through: number, now: Moment): Group {
  const { at, by: first } = group.cancelled ?? { at: now.at, by };
  return closeGroup({ ...group, cancelled: { at, by: first, through }, index: now.index }, now);
}

/** Why a job of the group must not be queued any more; null: it may. */
export function cancellationFor(
  group: Group | undefined,
  { sequence }: Pick<Job, 'sequence'>,
): GroupCancellation | null {
  const cancelled = group?.cancelled ?? null;
  return cancelled !== null && sequence <= (cancelled.through ?? 0) ? cancelled : null;
}

/** @param before null for a job that is new to the group */
export function countJob(group: Group, before: Job['state'] | null, after: Job['state'], now: Moment): Group {
  const counts = { ...group.counts, [after]: group.counts[after] + 1 };
  if (before !== null) counts[before] -= 1;
  return settle({ ...group, counts, index: now.index }, now);
}

export function unfinishedOf({ counts }: Group): number {
  return counts.waiting + counts.queued + counts.assigned + counts.running;
}

/** Whether the end of a job makes the group cancel the others. */
export function failsWith({ onFailure, cancelled }: Group, outcome: JobState): boolean {
  if (onFailure === 'continue' || cancelled !== null) return false;
  return outcome === 'failed' || outcome === 'timedOut' || outcome === 'lost' || outcome === 'expired';
}

/** A job that was final and is tried again opens what was finished. */
function settle(group: Group, now: Moment): Group {
  const isFinished = group.state !== 'open' && unfinishedOf(group) === 0;
  if (isFinished) return group.state === 'finished' ? group : { ...group, state: 'finished', finishedAt: now.at };
  if (group.state !== 'finished') return group;
  const { finishedAt: _, ...rest } = group;
  return { ...rest, state: 'closed' };
}
