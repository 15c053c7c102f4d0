import { assert } from '../errors.ts';
import type { Job, LiveJob, UnfinishedJob } from '../jobs/job.ts';
import { attemptOf } from '../jobs/lifecycle.ts';
import { add, amountOf, type Resources, ZERO } from '../resources/resources.ts';
import type { Allocation, ClusterState } from './state.ts';

/** Looks at the whole state: for tests after each step, too slow for a cluster at work. @throws AssertionError */
export function checkInvariants(state: ClusterState): void {
  checkQueue(state);
  checkCounts(state);
  checkDue(state);
  for (const job of state.jobs.values()) checkJob(state, job);
  for (const allocation of state.allocations.values()) checkAllocation(state, allocation);
  assert(state.allocations.size === state.runners.size, 'each runner has one allocation');
  assert(state.allocationList.length === state.runners.size, 'each allocation is listed once');
  assert(new Set(state.allocationList).size === state.runners.size, 'no allocation is listed twice');
}

function checkQueue(state: ClusterState): void {
  const queued = new Set<Job>();
  for (const job of state.queue.all()) {
    assert(!queued.has(job), 'no job is queued twice');
    queued.add(job);
    assert(state.jobs.get(job.id) === job, 'what is queued is in the heap, as it now is');
  }
  const wanted = [...state.jobs.values()].filter((job) => job.state === 'queued');
  assert(wanted.length === queued.size, 'every queued job is in the queue');
  assert(state.queue.size === queued.size, 'the queue knows its size');
  const byQueue = [...state.queue.countsByQueue.values()].reduce((sum, count) => sum + count, 0);
  assert(byQueue === queued.size, 'the counts by queue add up');
  const priorities = wanted.map((job) => job.plan.priority);
  const highest = priorities.length === 0 ? null : Math.max(...priorities);
  assert(state.queue.highestPriority() === highest, 'the queue knows its highest priority');
}

function checkCounts(state: ClusterState): void {
  const counts: Record<string, number> = { waiting: 0, queued: 0, assigned: 0, running: 0 };
  for (const job of state.jobs.values()) counts[job.state] = (counts[job.state] ?? 0) + 1;
  for (const [name, count] of Object.entries(state.counts))
    assert(counts[name] === count, `the count of ${name} jobs holds`);
}

function checkDue(state: ClusterState): void {
  let due = state.idempotency.size + state.joinTokens.size;
  for (const token of state.tokens.values()) due += token.expiresAt === null ? 0 : 1;
  for (const job of state.jobs.values()) {
    const at = dueOf(job);
    due += at === null ? 0 : 1;
    assert(state.due.get('job', job.id) === at, 'a job is due when its state says');
  }
  assert(state.due.size === due, 'nothing is due that is not there');
}

function dueOf(job: UnfinishedJob): number | null {
  if (job.state === 'waiting') return job.until;
  if (job.state !== 'queued' || job.plan.queueTimeoutMs === null) return null;
  return job.queuedAt + job.plan.queueTimeoutMs;
}

function checkJob(state: ClusterState, job: UnfinishedJob): void {
  assert(!('finalAt' in job), 'no final job is in the heap');
  assert(
    job.past.every(({ attempt }, i) => attempt === i + 1),
    'attempts are counted without gaps',
  );
  if (job.state !== 'assigned' && job.state !== 'running') return;
  assert(job.current.attempt === attemptOf(job), 'the live attempt follows the ended ones');
  const allocation = state.allocations.get(job.current.runner);
  assert(allocation?.jobs.has(job.id) === true, 'a live attempt is counted at its runner');
  assert(allocation.record.incarnation === job.current.incarnation, 'a live attempt is of the current incarnation');
  assert(allocation.record.state !== 'lost', 'a lost runner holds nothing');
}

function checkAllocation(state: ClusterState, { record, free, jobs }: Allocation): void {
  assert(state.runners.get(record.id) === record, 'an allocation is of the runner as it now is');
  const held: LiveJob[] = [];
  for (const id of jobs) {
    const job = state.jobs.get(id);
    assert(job?.state === 'assigned' || job?.state === 'running', 'what a runner holds is live');
    assert(job.current.runner === record.id, 'what a runner holds is assigned to it');
    held.push(job);
  }
  let taken = ZERO;
  for (const job of held) taken = add(taken, job.plan.demand);
  for (const amount of amountsOf(taken, record.total, free)) {
    assert(amount.free === amount.total - amount.taken, 'what is free is the total less what is taken');
    // A runner may come back with less than runs there; nothing may be added to that.
    const newer = held.filter((job) => job.current.assignedAt > record.registeredAt);
    if (amount.free < 0)
      assert(
        newer.every((job) => amount.of(job.plan.demand) === 0),
        'no runner is over-allocated',
      );
  }
}

function amountsOf(taken: Resources, total: Resources, free: Resources) {
  const getters: ((resources: Resources) => number)[] = [
    (resources) => resources.cpuMilli,
    (resources) => resources.memoryBytes,
    (resources) => resources.gpu,
    (resources) => resources.diskBytes,
  ];
  for (const name of new Set([taken, total, free].flatMap(({ custom }) => Object.keys(custom)))) {
    getters.push((resources) => amountOf(resources.custom, name));
  }
  return getters.map((of) => ({ of, taken: of(taken), total: of(total), free: of(free) }));
}
