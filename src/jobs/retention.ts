import type { FinalJob, Timestamp } from './job.ts';

/** How long a final job is kept is told by its spec or the cluster's default; from then on it may be purged. */
export function keptUntil({ finalAt, plan }: FinalJob): Timestamp {
  return finalAt + plan.retentionMs;
}
