import { freeOf, jobsOnRunner } from '../state/queries.ts';
import type { RunnerRecord } from '../state/records.ts';
import type { ClusterState } from '../state/state.ts';
import { toResourcesView } from './resources-view.ts';
import type { RunnerView } from './views.ts';

/** @param load what the machine last told by gossip; null when nothing fresh came */
export function toRunnerView(state: ClusterState, runner: RunnerRecord, load: RunnerView['load']): RunnerView {
  return {
    id: runner.id,
    incarnation: runner.incarnation,
    total: toResourcesView(runner.total),
    free: toResourcesView(freeOf(state, runner.id)),
    labels: runner.labels,
    state: runner.state,
    running: [...jobsOnRunner(state, runner.id)],
    load,
  };
}
