import type { JobId, NodeId } from '../ids.ts';
import type { JobPlan } from '../jobs/plan.ts';
import { add } from '../resources/resources.ts';
import type { Command } from '../state/commands.ts';
import type { ClusterState } from '../state/state.ts';
import { schedule } from './place.ts';
import type { Random } from './rank.ts';

/**
 * What may start in the room that these jobs free on a runner, to be proposed in one breath with their ends: the next
 * in order that fits there. A guess like any placement: where another took the job or the room first, apply refuses
 * it and the leader's scheduler goes on.
 */
export function followOn(
  state: ClusterState,
  runner: NodeId,
  ending: readonly JobId[],
  random: Random,
): readonly Extract<Command, { kind: 'assign' }>[] {
  const allocation = state.allocations.get(runner);
  if (allocation === undefined || state.queue.size === 0) return [];
  const staying = new Set(allocation.jobs);
  const plans: JobPlan[] = [];
  let { free } = allocation;
  for (const id of ending) {
    const job = state.jobs.get(id);
    if (job === undefined || !staying.delete(id)) continue;
    free = add(free, job.plan.demand);
    plans.push(job.plan);
  }
  const only = { ...allocation, free, jobs: staying };
  return schedule(state, { limit: ending.length, random, ending: plans, only });
}
