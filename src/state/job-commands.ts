import { jobPrincipalId } from '../auth.ts';
import { Rejection } from '../errors.ts';
import type { JobId } from '../ids.ts';
import type { AttemptEnd, FinalJob, FinalState, Job, Moment, Outputs, UnfinishedJob } from '../jobs/job.ts';
import {
  assignJob,
  cancelJob,
  endJob,
  handBackJob,
  meetDependency,
  reviveJob,
  startJob,
  submitJob,
} from '../jobs/lifecycle.ts';
import { keptSpec } from '../jobs/kept-job.ts';
import { type JobPlan, planOf, sharePlan } from '../jobs/plan.ts';
import { keptUntil } from '../jobs/retention.ts';
import type { JobSpec } from '../jobs/spec.ts';
import { LIMITS } from '../limits.ts';
import { whyInfeasible } from '../scheduling/infeasible.ts';
import type { OfSchedule } from '../schedules/schedule.ts';
import { lineUnderKey, noteLine } from './batch-keys.ts';
import type { ChangeSet } from './change-set.ts';
import { type Command, type CommandResult, type Placement, refuse, type Refusal } from './commands.ts';
import { followUpKey } from './follow-up-key.ts';
import { cancelWithChildren } from './follow-ups.ts';
import { knownRequest, noteRequest } from './idempotency.ts';
import { checkPlacement, checkSuccession, nothingWaitsAhead } from './placement.ts';
import { isSoundPlan } from './shapes.ts';

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>;

const DONE: CommandResult = { ok: true };
/** Of what a runner says about an end; the rest is left out. */
const MAX_REASON_LENGTH = 1024;

/** @param schedule the one whose firing it is */
export function submit(
  changes: ChangeSet,
  command: Of<'submit'>,
  by: string,
  schedule: OfSchedule | null = null,
): CommandResult {
  const { state, now } = changes;
  const { cluster } = state;
  if (cluster === null) return refuse('wrongState', 'the cluster is not made yet');
  const known = knownSubmission(changes, command, by);
  if (typeof known !== 'string') return known;
  const id = known;
  if (state.jobs.size >= LIMITS.liveJobs) {
    return refuse('queueFull', `the cluster holds ${LIMITS.liveJobs} jobs that are not final (liveJobs)`);
  }
  const plan = planSoundly(command.spec);
  if ('code' in plan) return plan;
  const infeasible = command.spec.infeasible === 'refuse' ? whyInfeasible(state.runners.values(), plan) : null;
  if (infeasible !== null) return refuse('infeasible', infeasible.message, infeasible.field ?? undefined);
  const spec = keptSpec(command.spec);
  const sequence = cluster.submissions + 1;
  const ties = tiesOf(changes, command, plan, by);
  if ('code' in ties) return ties;
  const { depth, missing, outcomes } = ties;
  const submission = { id, spec, plan, submittedBy: by, sequence, depth, missing };
  const fresh = submitJob(schedule === null ? submission : { ...submission, schedule }, now);
  const job = meetDependencies(fresh, outcomes, now);
  const noted = noteKey(changes, command, by, id);
  if (noted !== null) return noted;
  state.cluster = { ...cluster, submissions: sequence };
  changes.putJob(null, placeAtOnce(changes, changes.admit(null, job), command.placement));
  return { ok: true, job: id };
}

/** The placement that its proposer guessed, if it holds. */
function placeAtOnce(changes: ChangeSet, job: Job, placement: Placement | null): Job {
  const { state, now } = changes;
  if (job.state !== 'queued' || placement === null || !nothingWaitsAhead(state, job.plan)) return job;
  if (checkPlacement(state, job, placement) !== null) return job;
  const placed = assignJob(job, 1, { placement, behind: null }, now);
  return isJob(placed) ? placed : job;
}

export function assign(changes: ChangeSet, command: Of<'assign'>): CommandResult {
  const job = find(changes, command.job);
  if (!isJob(job)) return job;
  const { placement, behind = null } = command;
  const next = assignJob(job, command.attempt, { placement, behind }, changes.now);
  if (!isJob(next) || job.state !== 'queued') return take(changes, job, next);
  const refusal =
    behind === null
      ? checkPlacement(changes.state, job, placement)
      : checkSuccession(changes.state, job.plan, placement, behind);
  return refusal ?? take(changes, job, next);
}

export function handBack(changes: ChangeSet, { job: id, index }: Of<'handBack'>): CommandResult {
  const job = find(changes, id);
  return isJob(job) ? take(changes, job, handBackJob(job, index, changes.now)) : job;
}

export function started(changes: ChangeSet, command: Of<'started'>): CommandResult {
  const job = find(changes, command.job);
  return isJob(job) ? take(changes, job, startJob(job, command, command.at, changes.now)) : job;
}

export function ended(changes: ChangeSet, command: Of<'ended'>): CommandResult {
  const job = find(changes, command.job);
  if (!isJob(job)) return job;
  const { attempt, incarnation, startedAt, endedAt } = command;
  const report = { attempt, incarnation, startedAt, endedAt, end: endOf(command.end) };
  return take(changes, job, endJob(job, report, changes.now));
}

/** Its children are cancelled with it, also when it is final already. */
export function cancel(changes: ChangeSet, { job: id, mode }: Of<'cancel'>, by: string): CommandResult {
  const { relations } = changes.state;
  const job = find(changes, id);
  if (!isJob(job) && (mode === 'queued' || relations.childrenOf(id).size === 0)) return job;
  if (isJob(job)) {
    const next = cancelJob(job, mode, by, changes.now);
    if (!isJob(next)) return next;
  }
  cancelWithChildren(changes, id, by);
  return DONE;
}

export function retry(changes: ChangeSet, command: Of<'retry'>): CommandResult {
  const { state, now } = changes;
  const { cluster } = state;
  const { record } = command;
  if (cluster === null) return refuse('wrongState', 'the cluster is not made yet');
  if (record.id !== command.job) return refuse('invalidRequest', 'the record is of another job');
  const live = state.jobs.get(command.job);
  if (live !== undefined) return refuse('wrongState', `the job is ${live.state}: only a final one is tried again`);
  const lastFinal = state.revived.get(command.job)?.index ?? 0;
  if (state.followUps.has(followUpKey('dependents', record.id))) {
    return refuse('wrongState', 'jobs that wait for it are still being told of its end; try again');
  }
  if (record.index < lastFinal) return refuse('wrongState', 'the job was tried again since it was read');
  if (state.jobs.size >= LIMITS.liveJobs) {
    return refuse('queueFull', `the cluster holds ${LIMITS.liveJobs} jobs that are not final (liveJobs)`);
  }
  const plan = planSoundly(record.spec);
  if ('code' in plan) return plan;
  const final: FinalJob = { ...record, plan };
  if (keptUntil(final) <= now.at) return refuse('notFound', 'the job is final for longer than it is kept');
  const sequence = cluster.submissions + 1;
  const result = take(changes, final, reviveJob(final, sequence, now));
  if (result.ok) state.cluster = { ...cluster, submissions: sequence };
  return result;
}

interface Ties {
  readonly depth: number;
  /** What the job depends on. */
  readonly missing: readonly JobId[];
  /** How those of `missing` ended that are final. */
  readonly outcomes: ReadonlyMap<JobId, FinalState>;
}

/** What binds a new job to others. */
function tiesOf(changes: ChangeSet, command: Of<'submit'>, plan: JobPlan, by: string): Ties | Refusal {
  const depth = depthBelow(changes, plan.parent);
  if (typeof depth === 'object') return depth;
  const closed = checkGroup(changes, plan);
  if (closed !== null) return closed;
  const { jobs } = changes.state;
  const asks = plan.parent !== null && by === jobPrincipalId(plan.parent) ? plan.parent : null;
  const outcomes = new Map<JobId, FinalState>();
  for (const { job } of plan.dependsOn) {
    const live = jobs.get(job);
    const outcome = live === undefined ? outcomeOf(changes, command, job, asks) : null;
    const isKnown = live === undefined ? outcome !== null : asks === null || job === asks || live.plan.parent === asks;
    if (!isKnown) {
      const next = 'submit it first, or leave it out; a final job is known until it is purged';
      return refuse('unknownDependency', `dependsOn: no job has the id ${job}: ${next}`, 'dependsOn');
    }
    if (outcome !== null) outcomes.set(job, outcome);
  }
  return { depth, missing: plan.dependsOn.map(({ job }) => job), outcomes };
}

/** How a job that is not live ended. Of one that asks with its own token only its proposer knows what it may see. */
function outcomeOf({ state }: ChangeSet, command: Of<'submit'>, job: JobId, asks: JobId | null): FinalState | null {
  const told = asks === null ? state.followUps.get(followUpKey('dependents', job)) : undefined;
  if (told?.kind === 'dependents') return told.outcome;
  return command.outcomes?.find((known) => known.job === job)?.state ?? null;
}

function depthBelow({ state }: ChangeSet, parent: JobId | null): number | Refusal {
  if (parent === null) return 0;
  const job = state.jobs.get(parent);
  if (job === undefined)
    return refuse('unknownParent', `parent: the job ${parent} is final, or there is none`, 'parent');
  if ('cancel' in job && job.cancel !== null) {
    return refuse('wrongState', `the parent ${parent} is being cancelled`, 'parent');
  }
  const depth = (job.depth ?? 0) + 1;
  if (depth > LIMITS.childDepth) {
    return refuse('childLimit', `parent: jobs submit jobs at most ${LIMITS.childDepth} deep (childDepth)`, 'parent');
  }
  if (state.relations.countChildrenOf(parent) >= LIMITS.liveChildren) {
    return refuse('childLimit', `parent: it has ${LIMITS.liveChildren} children (liveChildren)`, 'parent');
  }
  return depth;
}

function checkGroup({ state }: ChangeSet, { group: id, project }: JobPlan): Refusal | null {
  if (id === null) return null;
  const group = state.groups.get(id);
  if (group === undefined) return refuse('unknownGroup', `group: no group has the id ${id}`, 'group');
  if (group.state !== 'open') {
    const next = 'make another group, or submit the job without one';
    return refuse('groupClosed', `group: the group ${id} is ${group.state} and takes no more jobs: ${next}`, 'group');
  }
  if (group.project === project) return null;
  const which = `the group ${id} is of the project ${group.project}, the job of ${project}`;
  return refuse('wrongProject', `project: ${which}: name the project of the group`, 'project');
}

function meetDependencies(job: Job, outcomes: ReadonlyMap<JobId, FinalState>, now: Moment): Job {
  let met = job;
  for (const [on, outcome] of outcomes) if (met.state === 'waiting') met = meetDependency(met, on, outcome, now);
  return met;
}

/** Answers a submission that stands in the state already, under its id or its key. @returns the id of one that is new */
function knownSubmission(
  changes: ChangeSet,
  { id: given, idempotency, batch }: Of<'submit'>,
  by: string,
): JobId | CommandResult {
  const id = batch === undefined ? given : lineUnderKey(changes.state, batch, by);
  if (typeof id !== 'string') return id;
  const live = changes.state.jobs.get(id);
  if (live !== undefined) {
    return live.submittedBy === by ? { ok: true, job: id, existed: true } : refuse('conflict', 'the id is taken');
  }
  return knownRequest(changes.state, idempotency, by, 'job') ?? id;
}

function noteKey(changes: ChangeSet, { idempotency, batch }: Of<'submit'>, by: string, id: JobId): Refusal | null {
  return batch === undefined ? noteRequest(changes, idempotency, by, { job: id }) : noteLine(changes, batch, by);
}

/** The edge has read the spec before; what comes through it malformed is refused by every replica alike. */
function planSoundly(spec: JobSpec): JobPlan | Refusal {
  try {
    const plan = planOf(spec);
    if (isSoundPlan(plan)) return sharePlan(plan);
  } catch (error) {
    if (error instanceof Rejection) return refuse('invalidRequest', error.message);
  }
  return refuse('invalidRequest', 'the spec is malformed');
}

function endOf(end: AttemptEnd): AttemptEnd {
  const { outcome, exitCode, signal, reason, usage, outputs } = end;
  return {
    outcome,
    exitCode,
    signal: signal?.slice(0, MAX_REASON_LENGTH) ?? null,
    reason: reason?.slice(0, MAX_REASON_LENGTH) ?? null,
    usage: usage === null ? null : usageOf(usage),
    ...(outputs === undefined ? {} : { outputs: outputsOf(outputs) }),
  };
}

function outputsOf({ rootDigest, entries, bytes }: Outputs): Outputs {
  return { rootDigest, entries, bytes };
}

function usageOf({ cpuUserMs, cpuSystemMs, maxRssBytes }: NonNullable<AttemptEnd['usage']>) {
  return { cpuUserMs, cpuSystemMs, maxRssBytes };
}

function find(changes: ChangeSet, id: JobId): UnfinishedJob | Refusal {
  return (
    changes.state.jobs.get(id) ?? refuse('alreadyFinal', 'the job is final already, or there is none with this id')
  );
}

function take(changes: ChangeSet, before: Job, next: Job | Refusal): CommandResult {
  if (!isJob(next)) return next;
  changes.putJob(before, next);
  return DONE;
}

function isJob<J extends Job>(job: J | Refusal): job is J {
  return !('code' in job);
}
