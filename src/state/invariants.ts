import { assert } from '../errors.ts';
import type { GroupId } from '../ids.ts';
import { cancellationFor, unfinishedOf } from '../jobs/group.ts';
import type { Job, LiveJob, UnfinishedJob } from '../jobs/job.ts';
import { attemptOf } from '../jobs/lifecycle.ts';
import { add, amountOf, fits, type Resources, ZERO } from '../resources/resources.ts';
import { dueOf as dueOfSchedule } from '../schedules/schedule.ts';
import { CLAIM_MS } from '../scheduling/claims.ts';
import type { Use } from '../scheduling/use.ts';
import { followUpKey } from './follow-up-key.ts';
import type { JobsInOrder } from './relations.ts';
import { type Allocation, type ClusterState, isLive } from './state.ts';

/** Looks at the whole state: for tests after each step, too slow for a cluster at work. @throws AssertionError */
export function checkInvariants(state: ClusterState): void {
  checkQueue(state);
  checkUse(state);
  checkCounts(state);
  checkDue(state);
  checkRelations(state);
  checkSchedules(state);
  const behind = [...state.jobs.values()].filter((job) => isLive(job) && job.current.behind !== undefined);
  assert(state.successors.size === behind.length, 'who takes over room is known, and nobody else');
  checkClaims(state);
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
  const byQueue = Map.groupBy(wanted, ({ plan }) => plan.queue);
  assert(byQueue.size === state.queue.queues.size, 'no queue is known in which nothing is queued');
  for (const { name, size, lanes, highestPriority } of state.queue.queues.values()) {
    const plans = byQueue.get(name)?.map(({ plan }) => plan) ?? [];
    assert(size === plans.length, 'a queue knows its size');
    assert(
      highestPriority === Math.max(...plans.map(({ priority }) => priority)),
      'a queue knows its highest priority',
    );
    assert(lanes.size === new Set(plans.map(({ project }) => project)).size, 'a queue knows its projects');
    for (const project of lanes.keys()) {
      const own = plans.filter((plan) => plan.project === project).length;
      assert(state.queue.sizeOfLane(name, project) === own && own > 0, 'a queue knows how many jobs a project has');
    }
  }
}

function checkUse({ use, jobs, runners }: ClusterState): void {
  const counted = [...jobs.values()].filter(({ state }) => state !== 'waiting');
  const byQueue = Map.groupBy(counted, ({ plan }) => plan.queue);
  assert(byQueue.size === use.queues.size, 'a queue has an account while jobs of it are queued or run');
  for (const [queue, account] of use.queues) {
    const own = byQueue.get(queue) ?? [];
    assert(account.jobs === own.length && isUseOf(account.use, own), 'the account of a queue holds what it uses');
    const byProject = Map.groupBy(own, ({ plan }) => plan.project);
    assert(byProject.size === account.projects.size, 'a project has an account while jobs of it are queued or run');
    for (const [project, { jobs: count, use: used }] of account.projects) {
      const its = byProject.get(project) ?? [];
      assert(count === its.length && isUseOf(used, its), 'the account of a project holds what it uses');
    }
    const byPriority = Map.groupBy(own.filter(isLive), ({ plan }) => plan.priority);
    assert(
      byPriority.size === account.livePriorities.size &&
        [...byPriority].every(([priority, live]) => account.livePriorities.get(priority) === live.length),
      'the account of a queue holds the priorities of what runs',
    );
  }
  assert(use.capacity.runners === runners.size, 'all runners count');
  const total = [...runners.values()].reduce((sum, runner) => add(sum, runner.total), ZERO);
  assert(
    amountsOf(ZERO, total, use.capacity.total).every((amount) => amount.total === amount.free),
    'what runners have adds up',
  );
}

function isUseOf({ running, taken }: Use, own: readonly UnfinishedJob[]): boolean {
  const live = own.filter(isLive);
  const sum = live.reduce((all, { plan }) => add(all, plan.demand), ZERO);
  return running === live.length && amountsOf(ZERO, sum, taken).every(({ total, free }) => total === free);
}

function checkCounts(state: ClusterState): void {
  const counts: Record<string, number> = { waiting: 0, queued: 0, assigned: 0, running: 0 };
  for (const job of state.jobs.values()) counts[job.state] = (counts[job.state] ?? 0) + 1;
  for (const [name, count] of Object.entries(state.counts))
    assert(counts[name] === count, `the count of ${name} jobs holds`);
}

function checkDue(state: ClusterState): void {
  let due = state.idempotency.size + state.joinTokens.size;
  for (const group of state.groups.values()) due += group.state === 'finished' ? 1 : 0;
  for (const token of state.tokens.values()) due += token.expiresAt === null ? 0 : 1;
  for (const job of state.jobs.values()) {
    const at = dueOf(job);
    due += at === null ? 0 : 1;
    assert(state.due.get('job', job.id) === at, 'a job is due when its state says');
    const claim = job.state === 'queued' ? job.claim : undefined;
    due += claim === undefined ? 0 : 1;
    const until = claim === undefined ? null : claim.at + CLAIM_MS;
    assert(state.due.get('claim', job.id) === until, 'a claim ends in its time');
  }
  assert(state.due.size === due, 'nothing is due that is not there');
}

function checkRelations(state: ClusterState): void {
  const { relations, jobs, groups } = state;
  const inside = new Map<object, number>();
  const unfinished = new Map<string, number>();
  for (const job of jobs.values()) {
    const { parent, withParent, group } = job.plan;
    if (parent !== null && withParent === 'cancelled')
      assert(holds(relations.childrenOf(parent), job), 'a child is known');
    if (group !== null) {
      assert(holds(relations.membersOf(group), job), 'a member of a group is known');
      unfinished.set(group, (unfinished.get(group) ?? 0) + 1);
    }
    if (job.state === 'waiting' && job.why === 'dependencies') {
      for (const on of job.missing) {
        assert(holds(relations.dependentsOf(on), job), 'a dependent is known');
        assert(
          jobs.has(on) || state.followUps.has(`dependents ${on}`),
          'a job waits for one that will tell of its end',
        );
      }
    }
    for (const gate of gatesPassed(state, job)) inside.set(gate, (inside.get(gate) ?? 0) + 1);
  }
  for (const gate of relations.gates.values()) {
    assert(gate.inside === (inside.get(gate) ?? 0), 'a gate knows how many it let through');
    assert(gate.inside <= gate.capacity, 'a gate lets no more through than it may');
    const next = gate.next();
    assert(next === null || isCondemned(state, next), 'nobody waits at a gate that has room');
    assert(!gate.isIdle, 'a gate that nobody is at is not kept');
  }
  for (const group of groups.values()) {
    assert(unfinishedOf(group) === (unfinished.get(group.id) ?? 0), 'a group counts its jobs');
    const isOver = group.state !== 'open' && unfinishedOf(group) === 0;
    assert((group.state === 'finished') === isOver, 'a group is finished when it is closed and all its jobs are final');
  }
  assert(state.followUpOrder.size === state.followUps.size, 'each follow-up is to be carried out');
}

function checkSchedules({ schedules, schedulesDue, relations, jobs }: ClusterState): void {
  let due = 0;
  for (const [name, schedule] of schedules) {
    const at = dueOfSchedule(schedule);
    due += at === null ? 0 : 1;
    assert(schedulesDue.get('schedule', name) === at, 'a schedule is due when its timing says');
    assert((schedule.mode === 'paused') === (schedule.timing.state === 'paused'), 'what is paused has no next time');
    assert(
      schedule.buffered === null || relations.scheduledBy(name).size > 0,
      'a firing waits only while a job of its schedule is not final',
    );
  }
  assert(schedulesDue.size === due, 'no schedule is due that is not there');
  for (const job of jobs.values()) {
    if (job.schedule === undefined) continue;
    assert(holds(relations.scheduledBy(job.schedule.name), job), 'a job of a schedule is known');
  }
}

function holds(run: JobsInOrder, job: Job): boolean {
  return run.valuesFrom(job.sequence).next().value === job.id;
}

function gatesPassed({ relations }: ClusterState, job: UnfinishedJob): object[] {
  const passages = relations.passagesOf(job.plan);
  const at = job.state === 'waiting' ? passages.findIndex(({ why }) => why === job.why) : passages.length;
  return passages.slice(0, Math.max(at, 0)).map(({ gate }) => gate);
}

function dueOf(job: UnfinishedJob): number | null {
  if (job.state === 'waiting') return 'until' in job ? job.until : null;
  if (job.state !== 'queued' || job.plan.queueTimeoutMs === null) return null;
  return job.queuedAt + job.plan.queueTimeoutMs;
}

function cancellationOf({ groups }: ClusterState, job: UnfinishedJob) {
  return job.plan.group === null ? null : cancellationFor(groups.get(job.plan.group), job);
}

/** The follow-up of its group is on the way to it. */
function isCondemned(state: ClusterState, job: UnfinishedJob): boolean {
  return cancellationOf(state, job) !== null && state.followUps.has(followUpKey('members', job.plan.group as GroupId));
}

function checkJob(state: ClusterState, job: UnfinishedJob): void {
  assert(!('finalAt' in job), 'no final job is in the heap');
  const cancelled = cancellationOf(state, job);
  assert(
    job.state !== 'queued' || cancelled === null || job.queuedAt <= cancelled.at,
    'no job of a cancelled group is queued any more',
  );
  assert(
    job.past.every(({ attempt }, i) => attempt === i + 1),
    'attempts are counted without gaps',
  );
  if (job.state !== 'assigned' && job.state !== 'running') return;
  assert(job.current.attempt === attemptOf(job), 'the live attempt follows the ended ones');
  const allocation = state.allocations.get(job.current.runner);
  assert(allocation?.jobs.has(job.id) === true, 'a live attempt is counted at its runner');
  checkSuccession(state, job);
  if (state.followUps.has(`runner ${job.current.runner}`)) return;
  assert(allocation.record.incarnation === job.current.incarnation, 'a live attempt is of the current incarnation');
  assert(allocation.record.state !== 'lost', 'a lost runner holds nothing that is not to be lost');
}

function checkSuccession(state: ClusterState, job: LiveJob): void {
  const { behind } = job.current;
  if (behind === undefined) return;
  const before = state.jobs.get(behind.job);
  assert(before !== undefined && isLive(before), 'who is to take over room is behind a live attempt');
  assert(before.current.runner === job.current.runner, 'room is taken over on one runner');
  assert(fits(job.plan.demand, before.plan.demand), 'who takes over room asks for no more');
  assert(state.successors.get(before.id) === job.id, 'an attempt has one behind it');
}

function checkClaims(state: ClusterState): void {
  let claims = 0;
  for (const job of state.jobs.values()) {
    if (job.state !== 'queued' || job.claim === undefined) continue;
    claims += 1;
    const allocation = state.allocations.get(job.claim.runner);
    assert(allocation?.claims?.get(job.id) === job, 'a claim is known at its runner, as the job now is');
    assert(allocation.record.incarnation === job.claim.incarnation, 'a claim is on the current incarnation');
    assert(allocation.record.state === 'ready', 'a claim is on a runner that takes jobs');
  }
  const known = [...state.allocations.values()].map((allocation) => allocation.claims?.size ?? 0);
  assert(known.reduce((sum, size) => sum + size, 0) === claims, 'no runner knows of a claim that there is not');
}

function checkAllocation(state: ClusterState, { record, free, jobs }: Allocation): void {
  assert(state.runners.get(record.id) === record, 'an allocation is of the runner as it now is');
  const held: LiveJob[] = [];
  for (const id of jobs) {
    const job = state.jobs.get(id);
    assert(job?.state === 'assigned' || job?.state === 'running', 'what a runner holds is live');
    assert(job.current.runner === record.id, 'what a runner holds is assigned to it');
    if (job.current.behind === undefined) held.push(job);
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
