import type { JobId, NodeId } from '../ids.ts';
import type { QueuedJob } from '../jobs/job.ts';
import { isAt } from '../jobs/lifecycle.ts';
import type { JobPlan } from '../jobs/plan.ts';
import { add, fits } from '../resources/resources.ts';
import { roomFor } from '../scheduling/claims.ts';
import { accepts, hasRoom } from '../scheduling/feasibility.ts';
import { isFull, limitInTheWay } from '../scheduling/use.ts';
import { type Placement, refuse, type Refusal } from './commands.ts';
import { type Allocation, type ClusterState, isLive, settingsOf } from './state.ts';

/** Whether a job may be assigned there now. Whoever chose the place, leader or not, chose from an older state. */
export function checkPlacement(state: ClusterState, job: QueuedJob, placement: Placement): Refusal | null {
  const { plan } = job;
  const allocation = acceptingAllocation(state, plan, placement);
  if ('code' in allocation) return allocation;
  const seat = { free: roomFor(job, allocation), attempts: allocation.jobs.size };
  if (!hasRoom(seat, plan)) return refuse('conflict', 'the runner has not enough free');
  return checkQueue(state, plan);
}

/**
 * Whether a job may be assigned there to take over the room of another one's attempt: it asks for no more than that one
 * has, and is the only one behind it. It counts for its queue and project from now on, as if it had room already. What
 * is being stopped is left alone: others may count on its room.
 */
export function checkSuccession(
  state: ClusterState,
  plan: JobPlan,
  placement: Placement,
  behind: JobId,
): Refusal | null {
  const allocation = acceptingAllocation(state, plan, placement);
  if ('code' in allocation) return allocation;
  const { free, jobs } = allocation;
  const before = state.jobs.get(behind);
  if (before === undefined || !isLive(before) || !isAt(before.current, placement))
    return refuse('conflict', 'the attempt whose room it was to take over is not there');
  if (state.successors.has(behind) || before.preempt !== undefined || before.cancel !== null)
    return refuse('conflict', 'another takes over that room');
  const { demand } = before.plan;
  if (!fits(plan.demand, demand) || !hasRoom({ free: add(free, demand), attempts: jobs.size }, plan))
    return refuse('conflict', 'the room that it was to take over is not enough');
  return checkQueue(state, plan);
}

/** The runner as it now is, if it takes such jobs at all. */
export function acceptingAllocation(state: ClusterState, plan: JobPlan, placement: Placement): Allocation | Refusal {
  const allocation = currentAllocation(state, placement);
  if ('code' in allocation) return allocation;
  const { record } = allocation;
  if (record.state === 'draining') return refuse('wrongState', 'the runner is draining');
  if (!accepts(record, plan)) return refuse('conflict', 'the runner does not meet the constraints');
  return allocation;
}

export function checkQueue(state: ClusterState, plan: JobPlan): Refusal | null {
  const { queue, project, demand } = plan;
  const { state: mode, limits, projectLimits } = settingsOf(state, queue);
  if (mode === 'paused') return refuse('wrongState', `the queue ${queue} is paused`);
  if (limitInTheWay(state.use.useOf(queue), limits, demand) !== null) {
    return refuse('conflict', `it would pass a limit of the queue ${queue}`);
  }
  if (limitInTheWay(state.use.useOfProject(plan), projectLimits, demand) !== null) {
    return refuse('conflict', `it would pass a limit of the project ${project} in the queue ${queue}`);
  }
  return null;
}

/** Nothing that is queued, and could start if there were room, comes before a job of this priority submitted now. */
export function nothingWaitsAhead(state: ClusterState, plan: JobPlan): boolean {
  for (const { name, highestPriority } of state.queue.queues.values()) {
    if (highestPriority < plan.priority) continue;
    const { state: mode, limits } = settingsOf(state, name);
    if (mode === 'open' && !isFull(state.use.useOf(name), limits)) return false;
  }
  return true;
}

function currentAllocation(state: ClusterState, { runner, incarnation }: Placement): Allocation | Refusal {
  const allocation = state.allocations.get(runner);
  if (allocation === undefined) return unknownRunner(runner);
  const { record } = allocation;
  if (record.incarnation !== incarnation || record.state === 'lost') return staleRunner(runner);
  return allocation;
}

export function unknownRunner(runner: NodeId): Refusal {
  return refuse('unknownRunner', `no runner has the id ${runner}`);
}

export function staleRunner(runner: NodeId): Refusal {
  return refuse('staleRunner', `the runner ${runner} is lost or was started anew since`);
}
