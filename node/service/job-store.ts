import { Rejection } from '../../src/errors.ts';
import type { JobId } from '../../src/ids.ts';
import { isFinalState, isUnmet, type Job } from '../../src/jobs/job.ts';
import type { JobFilter, ListQuery } from '../core.ts';
import { DEFAULT_NAME } from '../../src/jobs/plan.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Replica } from '../replica/replica.ts';
import type { ClusterState } from '../../src/state/state.ts';
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
  async list(query: ListQuery): Promise<JobPage> {
    const { filter, cursor } = query;
    if (filter.state === 'assigned' || filter.state === 'running') {
      return readPage(jobsAtRunners(this.#replica.state, cursor), query);
    }
    const page = await this.#replica.applier.read((store) => readPage(candidates(store, query), query));
    return { ...page, jobs: page.jobs.map((job) => this.#asItWaits(job)) };
  }

  /** What it still waits for is written now and then only. */
  #asItWaits(stored: Job): Job {
    if (!isUnmet(stored)) return stored;
    const live = this.#replica.state.jobs.get(stored.id);
    return live !== undefined && isUnmet(live) ? live : stored;
  }
}

interface JobPage {
  readonly jobs: readonly Job[];
  readonly nextCursor: string | null;
}

/** Jobs among which all are that the filter lets through, as few as the database finds without looking at others. */
function candidates(store: StateStore, { filter, cursor }: ListQuery): AsyncIterable<Job> {
  const { state, queue, project, group, parent, schedule } = filter;
  if (group !== undefined) return store.jobsAmong({ by: 'group', value: group }, cursor);
  if (parent !== undefined) return store.jobsAmong({ by: 'parent', value: parent }, cursor);
  if (schedule !== undefined) return store.jobsAmong({ by: 'schedule', value: schedule }, cursor);
  if (state !== undefined) {
    return isFinalState(state) ? store.jobsAmong({ by: 'finalState', value: state }, cursor) : store.liveJobs(cursor);
  }
  if (project !== undefined && project !== DEFAULT_NAME)
    return store.jobsAmong({ by: 'project', value: project }, cursor);
  if (queue !== undefined && queue !== DEFAULT_NAME) return store.jobsAmong({ by: 'queue', value: queue }, cursor);
  return store.jobs(cursor);
}

/** They are few beside those that wait. */
function jobsAtRunners({ allocationList, jobs }: ClusterState, before: string | null): readonly Job[] {
  const ids = allocationList.flatMap((allocation) => [...allocation.jobs]);
  const newestFirst = ids.filter((id) => before === null || id < before).toSorted((a, b) => (a < b ? 1 : -1));
  return newestFirst.flatMap((id) => jobs.get(id) ?? []);
}

async function readPage(jobsInOrder: AsyncIterable<Job> | Iterable<Job>, query: ListQuery): Promise<JobPage> {
  const jobs: Job[] = [];
  let looked = 0;
  let characters = 0;
  for await (const job of jobsInOrder) {
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
    (filter.schedule === undefined || job.schedule?.name === filter.schedule) &&
    (filter.name === undefined || job.spec.name === filter.name) &&
    Object.entries(filter.labels ?? {}).every(([label, value]) => job.spec.labels?.[label] === value)
  );
}
