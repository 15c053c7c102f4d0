import type { JobId, NodeId } from '../ids.ts';
import { unreachable } from '../errors.ts';
import type { QueuedJob, Timestamp, WaitingJob } from '../jobs/job.ts';
import type { JobPlan } from '../jobs/plan.ts';
import { LIMITS } from '../limits.ts';
import { formatConstraint, matches } from '../resources/constraint.ts';
import { amountOf, type Resources } from '../resources/resources.ts';
import type { Allocation, ClusterState } from '../state/state.ts';

/** Why a job is where it is, in data. */
export type Explanation =
  | { readonly state: 'waiting'; readonly why: 'notBefore' | 'backoff'; readonly until: Timestamp }
  | { readonly state: 'waiting'; readonly why: 'dependencies'; readonly missing: readonly JobId[] }
  | {
      readonly state: 'waiting';
      readonly why: 'resourceGroup' | 'group';
      /** Jobs whose turn it is now, as many as there may be, and those whose turn comes before this one's. */
      readonly inside: number;
      readonly ahead: number;
    }
  | {
      readonly state: 'queued';
      /** Jobs that come before it; smaller ones behind may still pass it. */
      readonly ahead: number;
      readonly runners: number;
      /** Those that it would fit on now. */
      readonly fitting: number;
      readonly reasons: readonly Reason[];
    }
  | { readonly state: 'assigned' | 'running'; readonly runner: NodeId; readonly attempt: number };

/** `runners`: how many it keeps the job from. One runner may be counted under several. */
export type Reason =
  | { readonly kind: 'lost' | 'draining' | 'attempts'; readonly runners: number }
  | { readonly kind: 'constraint'; readonly constraint: string; readonly runners: number }
  | {
      readonly kind: 'resource';
      /** A name of `Resources`, or of a custom one. In its units. */
      readonly resource: string;
      readonly wanted: number;
      /** The most that a ready runner has free, and has at all. */
      readonly mostFree: number;
      readonly mostTotal: number;
      readonly runners: number;
    };

/** @returns null for a job that is not in the heap: it is final, or there is none */
export function explain(state: ClusterState, id: JobId): Explanation | null {
  const job = state.jobs.get(id);
  switch (job?.state) {
    case undefined:
      return null;
    case 'waiting':
      return explainWaiting(state, job);
    case 'assigned':
    case 'running':
      return { state: job.state, runner: job.current.runner, attempt: job.current.attempt };
    case 'queued':
      return explainQueued(state, job);
  }
}

function explainWaiting({ relations }: ClusterState, job: WaitingJob): Explanation {
  const { state } = job;
  switch (job.why) {
    case 'notBefore':
    case 'backoff':
      return { state, why: job.why, until: job.until };
    case 'dependencies':
      return { state, why: job.why, missing: job.missing };
    case 'resourceGroup':
    case 'group': {
      const gate = relations.gateOf(job);
      return { state, why: job.why, inside: gate?.inside ?? 0, ahead: gate?.ahead(job) ?? 0 };
    }
    default:
      return unreachable(job);
  }
}

function explainQueued(state: ClusterState, job: QueuedJob): Explanation {
  const { plan } = job;
  const runners = state.allocationList;
  const ready = runners.filter(({ record }) => record.state === 'ready');
  const reasons: Reason[] = [
    countOf('lost', runners, ({ record }) => record.state === 'lost'),
    countOf('draining', runners, ({ record }) => record.state === 'draining'),
    countOf('attempts', ready, isFull),
    ...constraintReasons(plan, ready),
    ...resourceReasons(plan, ready),
  ].filter((reason) => reason.runners > 0);
  const fitting = ready.filter(
    (allocation) =>
      !isFull(allocation) &&
      plan.constraints.every((constraint) => matches(constraint, allocation.record.labels)) &&
      demandsOf(plan).every(({ of, wanted }) => wanted <= of(allocation.free)),
  ).length;
  return { state: 'queued', ahead: state.queue.ahead(job), runners: runners.length, fitting, reasons };
}

function isFull({ jobs }: Allocation): boolean {
  return jobs.size >= LIMITS.runnerAttempts;
}

function countOf(
  kind: 'lost' | 'draining' | 'attempts',
  runners: readonly Allocation[],
  keeps: (allocation: Allocation) => boolean,
): Reason {
  return { kind, runners: runners.filter(keeps).length };
}

function constraintReasons({ constraints }: JobPlan, ready: readonly Allocation[]): Reason[] {
  return constraints.map((constraint) => ({
    kind: 'constraint',
    constraint: formatConstraint(constraint),
    runners: ready.filter(({ record }) => !matches(constraint, record.labels)).length,
  }));
}

function resourceReasons(plan: JobPlan, ready: readonly Allocation[]): Reason[] {
  return demandsOf(plan).map(({ resource, wanted, of }) => ({
    kind: 'resource',
    resource,
    wanted,
    mostFree: Math.max(0, ...ready.map(({ free }) => of(free))),
    mostTotal: Math.max(0, ...ready.map(({ record }) => of(record.total))),
    runners: ready.filter(({ free }) => of(free) < wanted).length,
  }));
}

interface Demand {
  readonly resource: string;
  readonly wanted: number;
  readonly of: (resources: Resources) => number;
}

function demandsOf({ demand }: JobPlan): Demand[] {
  const demands = (['cpuMilli', 'memoryBytes', 'gpu', 'diskBytes'] as const).map((resource) => ({
    resource,
    wanted: demand[resource],
    of: (resources: Resources) => resources[resource],
  }));
  const custom = Object.keys(demand.custom).map((resource) => ({
    resource,
    wanted: amountOf(demand.custom, resource),
    of: (resources: Resources) => amountOf(resources.custom, resource),
  }));
  return [...demands, ...custom];
}
