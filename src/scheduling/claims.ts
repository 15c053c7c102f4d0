import type { Claim, QueuedJob } from '../jobs/job.ts';
import { add, type Resources, subtract } from '../resources/resources.ts';
import type { Allocation } from '../state/state.ts';

/** A claim that was not taken up for so long is given up: what was to end did not, or the job may not start. */
export const CLAIM_MS = 60_000;

type Claimant = Pick<QueuedJob, 'claim' | 'id' | 'plan' | 'sequence'>;

/** What is free at a runner for this job: all that is, less what those have claimed that come before it there. */
export function roomFor(job: Claimant, { record, free, claims }: Allocation): Resources {
  if (claims === undefined) return free;
  let room = free;
  const own = job.claim?.runner === record.id ? job.claim : undefined;
  for (const other of claims.values()) if (comesBefore(other, job, own)) room = subtract(room, other.plan.demand);
  return room;
}

/** What is free at a runner for jobs that come behind all claims there. */
export function unclaimed({ free, claims }: Allocation): Resources {
  if (claims === undefined) return free;
  let room = free;
  for (const { plan } of claims.values()) room = subtract(room, plan.demand);
  return room;
}

/** The same room, for a job that not all claims there come before. */
export function roomBehindClaims(room: Resources, claims: readonly QueuedJob[], job: Claimant): Resources {
  const own = claims.find(({ id }) => id === job.id)?.claim;
  let more = room;
  for (const other of claims) if (!comesBefore(other, job, own)) more = add(more, other.plan.demand);
  return more;
}

/** The higher priority comes first, then the older claim; a job without one comes last. */
export function compareClaims(a: Claimant, b: Claimant): number {
  return b.plan.priority - a.plan.priority || (a.claim?.at ?? 0) - (b.claim?.at ?? 0) || a.sequence - b.sequence;
}

/** @param own the claim of the job itself at the same runner, if it has one */
function comesBefore(other: QueuedJob, job: Claimant, own: Claim | undefined): boolean {
  if (own === undefined) return other.plan.priority >= job.plan.priority;
  return compareClaims(other, job) < 0;
}
