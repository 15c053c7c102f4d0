import type { NodeId } from '../ids.ts';
import type { JobPlan } from '../jobs/plan.ts';
import { accepts, hasRoom } from '../scheduling/feasibility.ts';
import { type Placement, refuse, type Refusal } from './commands.ts';
import type { Allocation, ClusterState } from './state.ts';

/** Whether a job may be assigned there now. Whoever chose the place, leader or not, chose from an older state. */
export function checkPlacement(state: ClusterState, plan: JobPlan, placement: Placement): Refusal | null {
  const allocation = currentAllocation(state, placement);
  if ('code' in allocation) return allocation;
  const { record, free, jobs } = allocation;
  if (record.state === 'draining') return refuse('wrongState', 'the runner is draining');
  if (!accepts(record, plan)) return refuse('conflict', 'the runner does not meet the constraints');
  if (!hasRoom({ free, attempts: jobs.size }, plan)) return refuse('conflict', 'the runner has not enough free');
  return null;
}

/** Nothing that is queued comes before a job of this priority that is submitted now. */
export function nothingWaitsAhead(state: ClusterState, plan: JobPlan): boolean {
  const waiting = state.queue.highestPriority();
  return waiting === null || waiting < plan.priority;
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
