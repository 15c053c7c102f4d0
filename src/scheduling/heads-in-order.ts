import TinyQueue from 'tinyqueue';
import { assert } from '../errors.ts';
import type { QueuedJob } from '../jobs/job.ts';
import { type JobClass, orderKey } from './lane.ts';

/** The next job of one class. */
export interface Head {
  readonly jobClass: JobClass;
  readonly job: QueuedJob;
  readonly key: number;
  /** Null until the first is followed by another: many classes are only looked at. */
  readonly rest: Iterator<QueuedJob, undefined> | null;
}

/**
 * Merges the classes of a lane into one order, opening a class only when its first job's turn has come. The lane
 * must not change meanwhile.
 */
export class HeadsInOrder {
  readonly #unopened: Iterator<JobClass, undefined>;
  readonly #opened = new TinyQueue<Head>([], (a, b) => a.key - b.key);
  #nextUnopened: Head | null;

  /** @param classes in the order of their first jobs */
  constructor(classes: Iterator<JobClass, undefined>) {
    this.#unopened = classes;
    this.#nextUnopened = this.#open();
  }

  /** The first head of all; the same one again until it is advanced or dropped. */
  next(): Head | null {
    const opened = this.#opened.peek();
    const unopened = this.#nextUnopened;
    if (unopened === null || (opened !== undefined && opened.key < unopened.key)) return opened ?? null;
    this.#opened.push(unopened);
    this.#nextUnopened = this.#open();
    return unopened;
  }

  /** To the next job of its class. */
  advance(head: Head): void {
    this.drop(head);
    const { jobClass } = head;
    const rest = head.rest ?? withoutFirst(jobClass.jobs.values());
    const { value: job } = rest.next();
    if (job !== undefined) this.#opened.push({ jobClass, job, key: orderKey(job), rest });
  }

  /** No further job of its class is wanted. */
  drop(head: Head): void {
    assert(this.#opened.pop() === head, 'only the first head is taken');
  }

  #open(): Head | null {
    const { value: jobClass } = this.#unopened.next();
    if (jobClass === undefined) return null;
    const job = jobClass.jobs.first();
    assert(job !== undefined, 'a class of a lane holds a job');
    return { jobClass, job, key: orderKey(job), rest: null };
  }
}

function withoutFirst(jobs: Iterator<QueuedJob, undefined>): Iterator<QueuedJob, undefined> {
  jobs.next();
  return jobs;
}
