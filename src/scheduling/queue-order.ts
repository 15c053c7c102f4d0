import { assert } from '../errors.ts';
import type { QueuedJob } from '../jobs/job.ts';
import type { JobPlan } from '../jobs/plan.ts';
import { LIMITS } from '../limits.ts';
import { formatConstraint } from '../resources/constraint.ts';
import { SortedRun } from './sorted-run.ts';

/** Submissions that keys tell apart; with the priorities above them they stay whole numbers. */
const SEQUENCES = 2 ** 45;

/** Jobs that ask for the same: where one of them does not fit, none does. */
export interface JobClass {
  readonly key: string;
  readonly demand: JobPlan['demand'];
  readonly constraints: JobPlan['constraints'];
  readonly jobs: SortedRun<QueuedJob>;
}

/**
 * All queued jobs, in order: the higher priority first, then the older submission. They are kept by class, so that the
 * scheduler passes a million jobs that fit nowhere in one step.
 */
export class JobQueue {
  readonly #classes = new Map<string, JobClass>();
  /** Classes in the order of their first jobs. */
  readonly #byFirst = new SortedRun<JobClass>();
  readonly #byPriority: number[] = Array.from({ length: LIMITS.priorityMax + 1 }, () => 0);
  readonly #byQueue = new Map<string, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get classes(): Pick<SortedRun<JobClass>, 'values' | 'sample' | 'size'> {
    return this.#byFirst;
  }

  get countsByQueue(): ReadonlyMap<string, number> {
    return this.#byQueue;
  }

  add(job: QueuedJob): void {
    const jobClass = this.#classFor(job.plan);
    const first = jobClass.jobs.firstKey();
    jobClass.jobs.insert(orderKey(job), job);
    this.#moveClass(jobClass, first);
    this.#count(job, 1);
  }

  remove(job: QueuedJob): void {
    const jobClass = this.#classes.get(classKey(job.plan));
    const first = jobClass?.jobs.firstKey();
    assert(jobClass?.jobs.delete(orderKey(job)) === true, 'a queued job is in the queue');
    this.#moveClass(jobClass, first);
    if (jobClass.jobs.size === 0) this.#classes.delete(jobClass.key);
    this.#count(job, -1);
  }

  /** Null when nothing is queued. */
  highestPriority(): number | null {
    if (this.#size === 0) return null;
    return this.#byPriority.findLastIndex((count) => count > 0);
  }

  /** How many jobs come before this one. */
  ahead(job: QueuedJob): number {
    const key = orderKey(job);
    let ahead = 0;
    for (const { jobs } of this.#classes.values()) ahead += jobs.rank(key);
    return ahead;
  }

  /** In order within each class only. */
  *all(): Generator<QueuedJob, undefined> {
    for (const { jobs } of this.#classes.values()) yield* jobs.values();
    return undefined;
  }

  #classFor(plan: JobPlan): JobClass {
    const key = classKey(plan);
    const known = this.#classes.get(key);
    if (known !== undefined) return known;
    const { demand, constraints } = plan;
    const made: JobClass = { key, demand, constraints, jobs: new SortedRun() };
    this.#classes.set(key, made);
    return made;
  }

  #moveClass(jobClass: JobClass, before: number | undefined): void {
    const now = jobClass.jobs.firstKey();
    if (now === before) return;
    if (before !== undefined) this.#byFirst.delete(before);
    if (now !== undefined) this.#byFirst.insert(now, jobClass);
  }

  #count(job: QueuedJob, change: 1 | -1): void {
    const { priority, queue } = job.plan;
    this.#size += change;
    this.#byPriority[priority] = (this.#byPriority[priority] ?? 0) + change;
    const queued = (this.#byQueue.get(queue) ?? 0) + change;
    if (queued === 0) this.#byQueue.delete(queue);
    else this.#byQueue.set(queue, queued);
  }
}

export interface Ordered {
  readonly sequence: number;
  readonly plan: Pick<JobPlan, 'priority'>;
}

/** Unique, and smaller for what comes first. */
export function orderKey(job: Ordered): number {
  return (LIMITS.priorityMax - job.plan.priority) * SEQUENCES + job.sequence;
}

function classKey({ demand, constraints }: JobPlan): string {
  const { cpuMilli, memoryBytes, gpu, diskBytes, custom } = demand;
  let key = `${cpuMilli} ${memoryBytes} ${gpu} ${diskBytes}`;
  for (const name of Object.keys(custom).toSorted()) key += ` ${name}=${custom[name]}`;
  for (const constraint of constraints) key += `\n${formatConstraint(constraint)}`;
  return key;
}
