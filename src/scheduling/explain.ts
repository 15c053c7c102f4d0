import type { JobId, NodeId } from '../ids.ts';
import { unreachable } from '../errors.ts';
import type { EndedAttempt, LiveJob, QueuedJob, Timestamp, WaitingJob } from '../jobs/job.ts';
import type { JobPlan } from '../jobs/plan.ts';
import { countPreemptions } from '../jobs/retry.ts';
import { LIMITS } from '../limits.ts';
import { formatConstraint, matches } from '../resources/constraint.ts';
import { type Allocation, type ClusterState, isLive, settingsOf } from '../state/state.ts';
import { roomFor } from './claims.ts';
import { demandsOf } from './demands.ts';
import { couldHold } from './feasibility.ts';
import { type LowerPriority, lowerPriority } from './lower-priority.ts';
import { isHeldByParents } from './parents.ts';
import { dominantShare, type LimitInTheWay, limitInTheWay } from './use.ts';

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
      /** Jobs that surely come before it: of higher priority, or older ones of its queue and project. */
      readonly ahead: number;
      readonly runners: number;
      /** Those that could hold it if nothing else ran there, also ones that are lost or drain. 0: it waits in vain. */
      readonly able: number;
      /** Those that it would fit on now. */
      readonly fitting: number;
      readonly reasons: readonly Reason[];
      readonly turn: TurnOfJob;
      /** Room that is being made for it: attempts there that are still being stopped. Null: none is. */
      readonly claim: { readonly runner: NodeId; readonly since: Timestamp; readonly stopping: number } | null;
      /** What runs with a lower priority than its own. */
      readonly lower: LowerPriority;
      readonly preempted: Preempted;
    }
  | {
      readonly state: 'assigned' | 'running';
      readonly runner: NodeId;
      readonly attempt: number;
      /** It is being stopped to make room for this job; null: it is not. */
      readonly makesRoomFor: { readonly job: JobId; readonly priority: number; readonly since: Timestamp } | null;
      readonly preempted: Preempted;
    };

/** How often the job was stopped to make room for others, and how often it may be. */
export interface Preempted {
  readonly times: number;
  readonly most: number;
}

type QueuedExplanation = Extract<Explanation, { readonly state: 'queued' }>;

/**
 * What decides between jobs of one priority: the queue that holds the smaller share by weight comes first, and in it
 * the project that does. A share is the part of the cluster that live attempts take, of the resource of which they
 * take the largest part.
 */
export interface TurnOfJob {
  readonly queue: string;
  readonly weight: number;
  readonly queueShare: number;
  readonly project: string;
  readonly projectShare: number;
}

/** `runners`: how many it keeps the job from. One runner may be counted under several. */
export type Reason =
  | { readonly kind: 'lost' | 'draining' | 'attempts'; readonly runners: number }
  /** Full of jobs whose children are not final: where they wait for them in their own process, nothing goes on. */
  | { readonly kind: 'parents'; readonly runners: number }
  | { readonly kind: 'paused'; readonly queue: string; readonly runners: number }
  | ({
      readonly kind: 'limit';
      /** Whose: of the queue as a whole, or of the project in it. */
      readonly of: 'queue' | 'project';
      readonly name: string;
      readonly runners: number;
    } & LimitInTheWay)
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
      return explainLive(job);
    case 'queued':
      return explainQueued(state, job);
  }
}

function explainLive({ state, current, preempt, past }: LiveJob): Explanation {
  const { runner, attempt } = current;
  const makesRoomFor =
    preempt === undefined ? null : { job: preempt.by, priority: preempt.priority, since: preempt.at };
  return { state, runner, attempt, makesRoomFor, preempted: preemptedOf(past) };
}

function preemptedOf(past: readonly EndedAttempt[]): Preempted {
  return { times: countPreemptions(past), most: LIMITS.preemptions };
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
  const runners = state.allocationList.map((allocation) => ({ ...allocation, free: roomFor(job, allocation) }));
  const ready = runners.filter(({ record }) => record.state === 'ready');
  const held = queueReasons(state, plan, runners.length);
  const reasons: Reason[] = [
    ...held,
    countOf('lost', runners, ({ record }) => record.state === 'lost'),
    countOf('draining', runners, ({ record }) => record.state === 'draining'),
    countOf('attempts', ready, isFull),
    ...constraintReasons(plan, ready),
    ...resourceReasons(plan, ready),
    parentsReason(state, plan, ready),
  ].filter((reason) => reason.runners > 0 || held.includes(reason));
  const fitting = ready.filter(
    (allocation) =>
      held.length === 0 &&
      !isFull(allocation) &&
      plan.constraints.every((constraint) => matches(constraint, allocation.record.labels)) &&
      demandsOf(plan).every(({ of, wanted }) => wanted <= of(allocation.free)),
  ).length;
  const ahead = state.queue.ahead(job);
  return {
    state: 'queued',
    ahead,
    runners: runners.length,
    able: runners.filter(({ record }) => couldHold(record, plan)).length,
    fitting,
    reasons,
    turn: turnOf(state, plan),
    claim: claimOf(state, job),
    lower: lowerPriority(state, plan.priority),
    preempted: preemptedOf(job.past),
  };
}

function claimOf({ allocations, jobs }: ClusterState, { id, claim }: QueuedJob): QueuedExplanation['claim'] {
  if (claim === undefined) return null;
  let stopping = 0;
  for (const held of allocations.get(claim.runner)?.jobs ?? []) {
    const job = jobs.get(held);
    if (job !== undefined && isLive(job) && job.preempt?.by === id) stopping += 1;
  }
  return { runner: claim.runner, since: claim.at, stopping };
}

function turnOf(state: ClusterState, plan: JobPlan): TurnOfJob {
  const { queue, project } = plan;
  const { use } = state;
  return {
    queue,
    weight: settingsOf(state, queue).weight,
    queueShare: dominantShare(use.useOf(queue), use.capacity),
    project,
    projectShare: dominantShare(use.useOfProject(plan), use.capacity),
  };
}

/** What keeps a job from every runner. */
function queueReasons(state: ClusterState, plan: JobPlan, runners: number): Reason[] {
  const { queue, project, demand } = plan;
  const settings = settingsOf(state, queue);
  const reasons: Reason[] = settings.state === 'paused' ? [{ kind: 'paused', queue, runners }] : [];
  const ofQueue = limitInTheWay(state.use.useOf(queue), settings.limits, demand);
  if (ofQueue !== null) reasons.push({ kind: 'limit', of: 'queue', name: queue, ...ofQueue, runners });
  const ofProject = limitInTheWay(state.use.useOfProject(plan), settings.projectLimits, demand);
  if (ofProject !== null) reasons.push({ kind: 'limit', of: 'project', name: project, ...ofProject, runners });
  return reasons;
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

function parentsReason(state: ClusterState, plan: JobPlan, ready: readonly Allocation[]): Reason {
  const isFullOfParents = (allocation: Allocation): boolean =>
    demandsOf(plan).some(({ of, wanted }) => wanted > of(allocation.free)) && isHeldByParents(state, allocation);
  return { kind: 'parents', runners: ready.filter(isFullOfParents).length };
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
