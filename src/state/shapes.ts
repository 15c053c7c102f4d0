import { SCOPES } from '../auth.ts';
import { isGroupId, isJobId } from '../ids.ts';
import { type AttemptOutcome, FINAL_STATES, type Outcome } from '../jobs/job.ts';
import type { JobPlan } from '../jobs/plan.ts';
import { LIMITS } from '../limits.ts';
import { OVERLAPS } from '../schedules/schedule.ts';
import { MAX_VICTIMS } from '../scheduling/victims.ts';
import type { Command, CommandKind, Proposal } from './commands.ts';
import { JOBS_PER_PURGE } from './purge-command.ts';
import { VOTER_COUNTS } from './voter-policy.ts';

/**
 * What a log entry must look like for apply to be total. The edge has checked all of it before; but the bytes come from
 * disks and other members, and every replica must find the same in them.
 */
type Check = (value: unknown) => boolean;
type Fields = Readonly<Record<string, unknown>>;

/** The last moment that a Date can tell. */
const MAX_TIMESTAMP = 8.64e15;
const MAX_ID_LENGTH = 128;
const MAX_ADDRESSES = 64;
const MAX_MESSAGE_LENGTH = 4096;
/** Of values within each other in a spec; what the edge lets through has five. */
const MAX_SPEC_DEPTH = 16;

const OUTCOMES: ReadonlySet<unknown> = new Set<Outcome>(['succeeded', 'failed', 'timedOut', 'cancelled', 'lost']);
const ATTEMPT_OUTCOMES: ReadonlySet<unknown> = new Set<AttemptOutcome>([...(OUTCOMES as Set<Outcome>), 'preempted']);
const FINAL: ReadonlySet<unknown> = new Set(FINAL_STATES);
const KNOWN_SCOPES: ReadonlySet<unknown> = new Set(SCOPES);

const isTime: Check = (value) => typeof value === 'number' && value >= 0 && value <= MAX_TIMESTAMP;
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isPositive: Check = (value) => Number.isSafeInteger(value) && (value as number) > 0;
const isId: Check = (value) => isText(value, MAX_ID_LENGTH) && value !== '';
const isName: Check = (value) => isText(value, LIMITS.nameLength);
const isNewJobId: Check = (value) => typeof value === 'string' && isJobId(value);
const isNewGroupId: Check = (value) => typeof value === 'string' && isGroupId(value);
const isLabels: Check = (value) => isRecordOf(value, (text) => typeof text === 'string');
const isScopes: Check = (value) => isListOf(value, SCOPES.length, (scope) => KNOWN_SCOPES.has(scope));
const isAddresses: Check = (value) => isListOf(value, MAX_ADDRESSES, isName);
const isPlacement = shape({ runner: isId, incarnation: isId });
const isIdempotency = shape({ key: (key) => isText(key, LIMITS.idempotencyKeyLength), bodyHash: isId });
const isBatchKey = shape({
  key: (key) => isText(key, LIMITS.idempotencyKeyLength),
  line: (line) => isPositive(line) && (line as number) <= LIMITS.batchJobs,
  base: isNewJobId,
});
const isUsage = shape({ cpuUserMs: isAmount, cpuSystemMs: isAmount, maxRssBytes: orNull(isAmount) });
const isOutputs = shape({ rootDigest: isName, entries: isCount, bytes: isCount });
const endFields = {
  exitCode: orNull(Number.isSafeInteger),
  signal: orNull(isString),
  reason: orNull(isString),
  usage: orNull(isUsage),
  outputs: (outputs: unknown) => outputs === undefined || isOutputs(outputs),
};
const isEnd = shape({ outcome: oneOf(OUTCOMES), ...endFields });
const isPastEnd = shape({ outcome: oneOf(ATTEMPT_OUTCOMES), ...endFields });
const isResources = shape({
  cpuMilli: isCount,
  memoryBytes: isCount,
  gpu: isCount,
  diskBytes: isCount,
  custom: (custom) => isRecordOf(custom, isCount),
});

const isVoterCount: Check = (value) => (VOTER_COUNTS as readonly unknown[]).includes(value);

const isOfSchedule = shape({ name: isName, due: orNull(isTime) });

const isAttemptPlace = shape({
  attempt: isPositive,
  runner: isId,
  incarnation: isId,
  assignedAt: isTime,
  startedAt: orNull(isTime),
  endedAt: isTime,
});
const isPast: Check = (value) =>
  isListOf(value, LIMITS.attempts, (attempt) => isAttemptPlace(attempt) && isPastEnd(attempt)) &&
  (value as readonly { readonly attempt: number }[]).every(({ attempt }, i) => attempt === i + 1);
const isFinalJob = shape({
  id: isNewJobId,
  spec: isSpec,
  submittedBy: isString,
  submittedAt: isTime,
  sequence: isCount,
  past: isPast,
  depth: (depth) => depth === undefined || isCount(depth),
  revivals: (revivals) => revivals === undefined || isCount(revivals),
  schedule: (schedule) => schedule === undefined || isOfSchedule(schedule),
  index: isCount,
  state: oneOf(FINAL),
  finalAt: isTime,
});

const isKnownOutcome = shape({ job: isNewJobId, state: oneOf(FINAL) });
const isVictim = shape({ job: isId, attempt: isPositive });
const isReadJob = shape({ job: isNewJobId, index: isCount });
const isGroupSpec = shape({
  name: orNull(isName),
  project: isName,
  labels: isLabels,
  maxRunning: orNull((count) => isPositive(count) && (count as number) <= LIMITS.groupRunningMax),
  onFailure: oneOf(new Set(['continue', 'cancel'])),
});
const isQueueLimits: Check = optionalShape({
  running: orNull(isCount),
  cpuMilli: orNull(isCount),
  memoryBytes: orNull(isCount),
});
const isQueueChange: Check = optionalShape({
  weight: (weight) => isPositive(weight) && (weight as number) <= LIMITS.queueWeightMax,
  state: oneOf(new Set(['open', 'paused'])),
  strategy: oneOf(new Set(['spread', 'pack'])),
  preemption: oneOf(new Set(['off', 'requeue'])),
  limits: isQueueLimits,
  projectLimits: isQueueLimits,
});
const SCHEDULE_SETTINGS: Readonly<Record<string, Check>> = {
  cron: (cron) => isText(cron, LIMITS.cronLength),
  timeZone: isName,
  spec: isSpec,
  overlap: oneOf(new Set(OVERLAPS)),
  catchUpMs: (ms) => isPositive(ms) && (ms as number) <= LIMITS.catchUpMaxMs,
  mode: oneOf(new Set(['active', 'paused'])),
};
const isMissed = shape({ count: isCount, of: oneOf(new Set(['exact', 'atLeast'])) });
const isProblem = shape({ code: isName, message: (message) => isText(message, MAX_MESSAGE_LENGTH) });

const isDependency = shape({ job: isNewJobId, on: oneOf(new Set(['succeeded', 'failed', 'finished'])) });

const SHAPES: Readonly<Record<CommandKind, Check>> = {
  submit: shape({
    id: isNewJobId,
    spec: isSpec,
    placement: orNull(isPlacement),
    idempotency: orNull(isIdempotency),
    batch: (batch) => batch === undefined || isBatchKey(batch),
    outcomes: (outcomes) => outcomes === undefined || isListOf(outcomes, LIMITS.dependencies, isKnownOutcome),
  }),
  assign: shape({
    job: isId,
    attempt: isPositive,
    placement: isPlacement,
    behind: (behind) => behind === undefined || isId(behind),
  }),
  handBack: shape({ job: isId, index: isCount }),
  preempt: shape({
    job: isId,
    attempt: isPositive,
    placement: isPlacement,
    victims: (victims) => isListOf(victims, MAX_VICTIMS, isVictim),
  }),
  started: shape({ job: isId, attempt: isPositive, incarnation: isId, at: isTime }),
  ended: shape({
    job: isId,
    attempt: isPositive,
    incarnation: isId,
    startedAt: orNull(isTime),
    endedAt: isTime,
    end: isEnd,
  }),
  cancel: shape({ job: isId, mode: oneOf(new Set(['any', 'queued'])) }),
  retry: shape({ job: isId, record: isFinalJob }),
  createGroup: shape({
    id: isNewGroupId,
    spec: isGroupSpec,
    idempotency: (idempotency) => idempotency === undefined || orNull(isIdempotency)(idempotency),
  }),
  closeGroup: shape({ id: isId }),
  cancelGroup: shape({ id: isId }),
  createSchedule: shape({ name: isId, settings: shape(SCHEDULE_SETTINGS) }),
  setSchedule: shape({ name: isId, change: optionalShape(SCHEDULE_SETTINGS) }),
  deleteSchedule: shape({ name: isId }),
  triggerSchedule: shape({
    name: isId,
    job: isNewJobId,
    idempotency: (idempotency) => idempotency === undefined || orNull(isIdempotency)(idempotency),
  }),
  planSchedule: shape({
    name: isId,
    revision: isCount,
    after: isTime,
    next: orNull(isTime),
    problem: orNull(isProblem),
  }),
  fireSchedule: shape({
    name: isId,
    revision: isCount,
    due: isTime,
    latest: isTime,
    next: orNull(isTime),
    missed: isMissed,
    job: isNewJobId,
  }),
  setQueue: shape({ name: isName, change: isQueueChange }),
  resetQueue: shape({ name: isName }),
  registerRunner: shape({ runner: isId, incarnation: isId, total: isResources, labels: isLabels }),
  loseRunner: shape({ runner: isId, incarnation: isId }),
  drainRunner: shape({ runner: isId, mode: oneOf(new Set(['drain', 'undrain'])) }),
  clock: () => true,
  purge: shape({ jobs: (jobs) => isListOf(jobs, JOBS_PER_PURGE, isReadJob) }),
  announceNode: shape({ node: isId, addresses: isAddresses, http: orNull(isName), version: isName }),
  wishMember: shape({ node: isId, wish: oneOf(new Set(['voter', 'learner', 'leave', 'none'])) }),
  setVoterPolicy: shape({
    voters: orNull(isVoterCount),
    replaceDead: orNull((value) => isTime(value) || value === 'automatic' || value === 'never'),
  }),
  forgetNode: shape({ node: isId }),
  createToken: shape({ id: isId, name: isName, hash: isId, scopes: isScopes, expiresAt: orNull(isTime) }),
  revokeToken: shape({ id: isId }),
  createJoinToken: shape({ id: isId, hash: isId, uses: isPositive, expiresAt: isTime }),
  useJoinToken: shape({ id: isId, hash: isId, node: isId, addresses: isAddresses, version: isName }),
  createCluster: shape({ clusterId: isId, auth: oneOf(new Set(['required', 'loopbackOpen'])) }),
  refoundCluster: shape({ clusterId: isId, keep: isId }),
};

const isJobAttempt = shape({ id: isNewJobId, attempt: isPositive });
const isPrincipal = shape({
  id: isString,
  token: orNull(isId),
  kind: oneOf(new Set(['token', 'system', 'local', 'job'])),
  job: (job) => job === undefined || isJobAttempt(job),
});
const isProposalShape = shape({ principal: isPrincipal, origin: isId, sequence: isPositive, commands: Array.isArray });

/** The envelope only: each command is checked by itself, and refused by itself. */
export function isProposal(value: unknown): value is Proposal {
  return isProposalShape(value);
}

export function isCommand(value: unknown): value is Command {
  if (!isObject(value)) return false;
  const { kind } = value as Fields;
  return typeof kind === 'string' && Object.hasOwn(SHAPES, kind) && SHAPES[kind as CommandKind](value);
}

/** Whether the numbers of a plan are such that sums, keys and times made of them stay whole and in range. */
export function isSoundPlan(plan: JobPlan): boolean {
  const { priority, retry, timeoutMs, idleTimeoutMs, queueTimeoutMs, notBefore } = plan;
  return (
    isCount(priority) &&
    priority <= LIMITS.priorityMax &&
    isName(plan.project) &&
    isName(plan.queue) &&
    isResources(plan.demand) &&
    [timeoutMs, idleTimeoutMs, queueTimeoutMs, notBefore].every(orNull(isTime)) &&
    isTime(plan.retentionMs) &&
    isListOf(plan.dependsOn, LIMITS.dependencies, isDependency) &&
    [plan.parent, plan.group].every(orNull(isNewJobId)) &&
    orNull(isName)(plan.resourceGroup) &&
    isCount(retry.max) &&
    isCount(retry.lostMax) &&
    isListOf(retry.on, OUTCOMES.size, oneOf(OUTCOMES)) &&
    (retry.exitCodes === null || Array.isArray(retry.exitCodes)) &&
    [retry.backoff.initialMs, retry.backoff.factor, retry.backoff.maxMs].every(isTime)
  );
}

export function isTimestamp(value: unknown): value is number {
  return isTime(value);
}

function shape(checks: Readonly<Record<string, Check>>): Check {
  const fields = Object.entries(checks);
  return (value) => {
    if (!isObject(value)) return false;
    for (const [name, check] of fields) if (!check((value as Fields)[name])) return false;
    return true;
  };
}

/** What is there is as it should be, and nothing else is. */
function optionalShape(checks: Readonly<Record<string, Check>>): Check {
  return (value) =>
    isObject(value) &&
    Object.entries(value as Fields).every(
      ([name, part]) => Object.hasOwn(checks, name) && checks[name]?.(part) === true,
    );
}

function orNull(check: Check): Check {
  return (value) => value === null || check(value);
}

function oneOf(values: ReadonlySet<unknown>): Check {
  return (value) => values.has(value);
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** MessagePack holds more than JSON does, as whole numbers of any size, dates and rings. */
function isSpec(value: unknown): boolean {
  return isObject(value) && isJson(value, MAX_SPEC_DEPTH);
}

function isJson(value: unknown, depthLeft: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      return value === null || (depthLeft > 0 && isPlain(value) && hasJson(value, depthLeft - 1));
    default:
      return false;
  }
}

function hasJson(value: object, depthLeft: number): boolean {
  for (const part of Object.values(value)) if (!isJson(part, depthLeft)) return false;
  return true;
}

function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isString(value: unknown): boolean {
  return typeof value === 'string';
}

function isText(value: unknown, maxLength: number): boolean {
  return typeof value === 'string' && value.length <= maxLength;
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value);
}

function isListOf(value: unknown, maxLength: number, check: Check): boolean {
  return Array.isArray(value) && value.length <= maxLength && value.every(check);
}

function isRecordOf(value: unknown, check: Check): boolean {
  return isObject(value) && Object.values(value as Fields).every(check);
}
