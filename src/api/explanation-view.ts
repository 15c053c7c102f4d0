import { isFinal, type Job } from '../jobs/job.ts';
import { explain } from '../scheduling/explain.ts';
import type { ClusterState } from '../state/state.ts';
import { toTime } from './job-view.ts';
import type { ExplanationView } from './views.ts';

/** @param job as it was found, in the heap or in the database */
export function toExplanationView(state: ClusterState, job: Job): ExplanationView | null {
  if (isFinal(job)) return { state: job.state, reason: job.reason };
  const explanation = explain(state, job.id);
  switch (explanation?.state) {
    case undefined:
      return null;
    case 'waiting':
      return 'until' in explanation ? { ...explanation, until: toTime(explanation.until) } : explanation;
    case 'queued':
      return { ...explanation, claim: sinceTime(explanation.claim) };
    case 'assigned':
    case 'running':
      return { ...explanation, makesRoomFor: sinceTime(explanation.makesRoomFor) };
  }
}

function sinceTime<Told extends { readonly since: number }>(told: Told | null) {
  return told === null ? null : { ...told, since: toTime(told.since) };
}
