import { Rejection } from '../../src/errors.ts';
import type { JobId } from '../../src/ids.ts';
import type { Job } from '../../src/jobs/job.ts';
import type { JobFilter, ListQuery } from '../core.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Replica } from '../replica/replica.ts';
import type { StateStore } from '../storage/ports.ts';

/** Finds jobs wherever they are: in the heap while they live, in the database when they are final. */
export class JobStore {
  readonly #replica: Replica;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  async find(id: JobId): Promise<Job | null> {
    const { state, applier } = this.#replica;
    const live = state.jobs.get(id);
    if (live !== undefined) return live;
    const stored = await applier.read((store) => store.get('job', id));
    // It may have come back to life while the database was read.
    return this.#replica.state.jobs.get(id) ?? stored;
  }

  /** @throws Rejection `notFound` */
  async get(id: JobId): Promise<Job> {
    const job = await this.find(id);
    if (job === null) throw new Rejection('notFound', `no job has the id ${id}`);
    return job;
  }

  /** Newest first; looks at a bounded number of jobs and tells from where to go on. */
  list(query: ListQuery): Promise<JobPage> {
    return this.#replica.applier.read((store) => readPage(store, query));
  }
}

interface JobPage {
  readonly jobs: readonly Job[];
  readonly nextCursor: string | null;
}

async function readPage(store: StateStore, query: ListQuery): Promise<JobPage> {
  const jobs: Job[] = [];
  let looked = 0;
  let characters = 0;
  for await (const job of store.jobs(query.cursor)) {
    looked += 1;
    if (matches(job, query.filter)) {
      jobs.push(job);
      characters += sizeOf(job);
    }
    const isFull = jobs.length >= query.limit || characters >= LIMITS.listCharacters;
    if (isFull || looked >= LIMITS.listScanMax) return { jobs, nextCursor: job.id };
  }
  return { jobs, nextCursor: null };
}

/** Of the parts that can be large: a page is encoded in one go, and the event loop does not turn meanwhile. */
function sizeOf({ spec, past }: Job): number {
  return JSON.stringify(spec).length + JSON.stringify(past).length;
}

function matches(job: Job, filter: JobFilter): boolean {
  return (
    (filter.state === undefined || job.state === filter.state) &&
    (filter.queue === undefined || job.plan.queue === filter.queue) &&
    (filter.project === undefined || job.plan.project === filter.project) &&
    (filter.group === undefined || job.plan.group === filter.group) &&
    (filter.parent === undefined || job.plan.parent === filter.parent) &&
    (filter.name === undefined || job.spec.name === filter.name) &&
    Object.entries(filter.labels ?? {}).every(([label, value]) => job.spec.labels?.[label] === value)
  );
}
