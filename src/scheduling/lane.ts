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
  /** Equal in all lanes. */
  readonly key: string;
  readonly demand: JobPlan['demand'];
  readonly constraints: JobPlan['constraints'];
  readonly jobs: SortedRun<QueuedJob>;
}

/**
 * The queued jobs of one project in one queue, in order: the higher priority first, then the older submission. They are
 * kept by class, so that the scheduler passes a million jobs that fit nowhere in one step.
 */
export class Lane {
  readonly queue: string;
  readonly project: string;
  /** Tells lanes apart. */
  readonly number: number;
  readonly #classes = new Map<string, JobClass>();
  /** Classes in the order of their first jobs. */
  readonly #byFirst = new SortedRun<JobClass>();

  constructor({ queue, project }: Pick<JobPlan, 'queue' | 'project'>, number: number) {
    this.queue = queue;
    this.project = project;
    this.number = number;
  }

  get classes(): Pick<SortedRun<JobClass>, 'values' | 'sample' | 'size'> {
    return this.#byFirst;
  }

  /** Null when nothing is queued. */
  first(): { readonly job: QueuedJob; readonly jobClass: JobClass; readonly key: number } | null {
    const jobClass = this.#byFirst.first();
    const job = jobClass?.jobs.first();
    return jobClass === undefined || job === undefined ? null : { job, jobClass, key: orderKey(job) };
  }

  add(job: QueuedJob): void {
    const jobClass = this.#classFor(job.plan);
    const first = jobClass.jobs.firstKey();
    jobClass.jobs.insert(orderKey(job), job);
    this.#moveClass(jobClass, first);
  }

  remove(job: QueuedJob): void {
    const jobClass = this.#classes.get(classKey(job.plan));
    const first = jobClass?.jobs.firstKey();
    assert(jobClass?.jobs.delete(orderKey(job)) === true, 'a queued job is in the queue');
    this.#moveClass(jobClass, first);
    if (jobClass.jobs.size === 0) this.#classes.delete(jobClass.key);
  }

  /** How many jobs have a key below this one. */
  rank(key: number): number {
    let rank = 0;
    for (const { jobs } of this.#classes.values()) rank += jobs.rank(key);
    return rank;
  }

  /** The oldest of each class and priority: among them is the oldest of all. */
  *oldest(): Generator<QueuedJob, undefined> {
    for (const { jobs } of this.#classes.values()) {
      let next = jobs.first();
      while (next !== undefined) {
        yield next;
        next = jobs.valuesFrom(firstKeyOf(next.plan.priority - 1)).next().value;
      }
    }
    return undefined;
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
}

export interface Ordered {
  readonly sequence: number;
  readonly plan: Pick<JobPlan, 'priority'>;
}

/** Unique, and smaller for what comes first within a lane. */
export function orderKey(job: Ordered): number {
  return firstKeyOf(job.plan.priority) + job.sequence;
}

/** Not above the keys of this priority, and above those of higher ones. */
export function firstKeyOf(priority: number): number {
  return (LIMITS.priorityMax - priority) * SEQUENCES;
}

function classKey({ demand, constraints }: JobPlan): string {
  const { cpuMilli, memoryBytes, gpu, diskBytes, custom } = demand;
  let key = `${cpuMilli} ${memoryBytes} ${gpu} ${diskBytes}`;
  for (const name of Object.keys(custom).toSorted()) key += ` ${name}=${custom[name]}`;
  for (const constraint of constraints) key += `\n${formatConstraint(constraint)}`;
  return key;
}
