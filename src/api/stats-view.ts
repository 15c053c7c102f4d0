import { countsByState, jobTotals, oldestQueued } from '../state/queries.ts';
import type { ClusterState } from '../state/state.ts';
import type { StatsView } from './views.ts';

/** @param appliedIndex the log index that the state stands at */
export function toStatsView(state: ClusterState, appliedIndex: number): StatsView {
  const { started, ended } = jobTotals(state);
  const oldest = oldestQueued(state);
  return {
    jobs: { ...countsByState(state) },
    totals: { submitted: state.cluster?.submissions ?? 0, started, ended },
    oldestQueued:
      oldest === null
        ? null
        : {
            id: oldest.id,
            name: oldest.spec.name ?? null,
            queue: oldest.plan.queue,
            project: oldest.plan.project,
            submittedAt: new Date(oldest.submittedAt).toISOString(),
          },
    index: appliedIndex,
  };
}
