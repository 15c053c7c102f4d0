import type { GroupId, JobId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { Memo } from '../memo.ts';
import { type Constraint, parseConstraint } from '../resources/constraint.ts';
import { fromSpec, type Resources } from '../resources/resources.ts';
import { parseDuration } from '../units.ts';
import type { Outcome, Timestamp } from './job.ts';
import type { JobSpec } from './spec.ts';

/** What the state machine and the scheduler need of a spec, as numbers, derived once at submission. */
export interface JobPlan {
  readonly project: string;
  readonly queue: string;
  readonly priority: number;
  readonly demand: Resources;
  readonly constraints: readonly Constraint[];
  /** Of one attempt's run; null for none. */
  readonly timeoutMs: number | null;
  /** How long neither output of an attempt may grow; null for as long as it likes. */
  readonly idleTimeoutMs: number | null;
  /** How long it may wait for a runner each time that it is queued. */
  readonly queueTimeoutMs: number | null;
  readonly notBefore: Timestamp | null;
  /** How long it is kept once it is final. */
  readonly retentionMs: number;
  readonly retry: RetryPlan;
  readonly dependsOn: readonly Dependency[];
  readonly group: GroupId | null;
  readonly parent: JobId | null;
  /** Whether it is cancelled with its parent. */
  readonly withParent: 'cancelled' | 'detached';
  readonly resourceGroup: string | null;
}

/** `failed`: it ended in any other way than succeeded. */
export interface Dependency {
  readonly job: JobId;
  readonly on: 'succeeded' | 'failed' | 'finished';
}

export interface RetryPlan {
  /** Further attempts after ones that failed or timed out. */
  readonly max: number;
  readonly on: readonly Extract<Outcome, 'failed' | 'timedOut'>[];
  /** Null: any exit code. */
  readonly exitCodes: readonly number[] | null;
  /** Further attempts after lost ones; 0 with `retry: never`. */
  readonly lostMax: number;
  readonly backoff: { readonly initialMs: number; readonly factor: number; readonly maxMs: number };
}

/** Of the project and the queue of jobs that name none. */
export const DEFAULT_NAME = 'default';
const DEFAULT_PRIORITY = 50;
const NO_CONSTRAINTS: readonly Constraint[] = [];
const NO_DEPENDENCIES: readonly Dependency[] = [];
const DEFAULT_RETRY: RetryPlan = {
  max: 0,
  on: ['failed', 'timedOut'],
  exitCodes: null,
  lostMax: 3,
  backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000 },
};
const NEVER: RetryPlan = { ...DEFAULT_RETRY, lostMax: 0 };

/** @throws Rejection `invalidRequest` for text of the spec that cannot be read; the edge has refused such before */
export function planOf(spec: JobSpec): JobPlan {
  return {
    project: spec.project ?? DEFAULT_NAME,
    queue: spec.queue ?? DEFAULT_NAME,
    priority: spec.priority ?? DEFAULT_PRIORITY,
    demand: fromSpec(spec.resources),
    constraints: spec.constraints === undefined ? NO_CONSTRAINTS : spec.constraints.map(parseConstraint),
    timeoutMs: durationOf(spec.timeout),
    idleTimeoutMs: durationOf(spec.idleTimeout),
    queueTimeoutMs: durationOf(spec.queueTimeout),
    notBefore: spec.notBefore === undefined ? null : Date.parse(spec.notBefore),
    retentionMs: durationOf(spec.retention) ?? LIMITS.retentionMs,
    retry: retryOf(spec.retry),
    dependsOn: dependenciesOf(spec.dependsOn),
    group: spec.group ?? null,
    parent: spec.parent ?? null,
    withParent: spec.detach === true ? 'detached' : 'cancelled',
    resourceGroup: spec.resourceGroup ?? null,
  };
}

const sharedPlans = new Memo<JobPlan>(1024);

/** Equal plans as one value: most of a million jobs ask for the same. @param plan one that is sound: JSON tells it whole */
export function sharePlan(plan: JobPlan): JobPlan {
  return sharedPlans.get(JSON.stringify(plan), () => plan);
}

function dependenciesOf(written: JobSpec['dependsOn']): readonly Dependency[] {
  if (written === undefined || written.length === 0) return NO_DEPENDENCIES;
  return written.map(({ job, on }) => ({ job, on: on ?? 'succeeded' }));
}

function durationOf(text: string | undefined): number | null {
  return text === undefined ? null : parseDuration(text);
}

function retryOf(retry: JobSpec['retry']): RetryPlan {
  if (retry === undefined) return DEFAULT_RETRY;
  if (retry === 'never') return NEVER;
  const { backoff } = DEFAULT_RETRY;
  return {
    max: retry.max ?? DEFAULT_RETRY.max,
    on: retry.on ?? DEFAULT_RETRY.on,
    exitCodes: retry.exitCodes ?? null,
    lostMax: retry.lostMax ?? DEFAULT_RETRY.lostMax,
    backoff: {
      initialMs: durationOf(retry.backoff?.initial) ?? backoff.initialMs,
      factor: retry.backoff?.factor ?? backoff.factor,
      maxMs: durationOf(retry.backoff?.max) ?? backoff.maxMs,
    },
  };
}
