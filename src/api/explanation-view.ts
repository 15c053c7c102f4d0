import { isFinal, type Job } from '../jobs/job.ts';
import { explain } from '../scheduling/explain.ts';
import type { ClusterState } from '../state/state.ts';
import { toTime } from './job-view.ts';
import type { ExplanationView } from './views.ts';

/** @param job as it was found, in the heap or in the database */
export function toExplanationView(state: ClusterState, job: Job): ExplanationView | null {
  if (isFinal(job)) return { state: job.state, reason: job.reason };
  const explanation = explain(state, job.id);
  if (explanation?.state !== 'waiting' || !('until' in explanation)) return explanation;
  return { ...explanation, until: toTime(explanation.until) };
}
