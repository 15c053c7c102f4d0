import { ZERO, fits } from '../resources/resources.ts';
import { type Allocation, type ClusterState, settingsOf } from '../state/state.ts';
import { accepts, hasRoom } from './feasibility.ts';

/** All that runs there and takes anything has children that are not final: it may be waiting for them. */
export function isHeldByParents({ jobs, relations }: ClusterState, allocation: Allocation): boolean {
  let parents = 0;
  for (const id of allocation.jobs) {
    const demand = jobs.get(id)?.plan.demand ?? ZERO;
    if (fits(demand, ZERO)) continue;
    if (relations.countChildrenOf(id) === 0) return false;
    parents += 1;
  }
  return parents > 0;
}

/** Jobs are queued, none of those that come first finds room, and nothing but parents has it: nothing may go on. */
export function isAllHeldByParents(state: ClusterState): boolean {
  const ready = state.allocationList.filter(({ record }) => record.state === 'ready');
  if (ready.length === 0 || !ready.every((allocation) => isHeldByParents(state, allocation))) return false;
  let waiting = 0;
  for (const { name, lanes } of state.queue.queues.values()) {
    if (settingsOf(state, name).state !== 'open') continue;
    for (const lane of lanes.values()) {
      const plan = lane.first()?.job.plan;
      if (plan === undefined) continue;
      const finds = ({ record, free, jobs }: Allocation): boolean =>
        accepts(record, plan) && hasRoom({ free, attempts: jobs.size }, plan);
      if (ready.some(finds)) return false;
      waiting += 1;
    }
  }
  return waiting > 0;
}
