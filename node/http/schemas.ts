import { z } from 'zod';
import type {
  ClusterView,
  CreatedJoinToken,
  CreatedToken,
  GroupView,
  InvitationView,
  JobView,
  Problem,
  QueueView,
  Readiness,
  RunnerView,
  StatsView,
  TokenView,
} from '../../src/api/views.ts';
import { WARNING_CODES } from '../../src/api/views.ts';
import { SCOPES } from '../../src/auth.ts';
import { isGroupId, isJobId } from '../../src/ids.ts';
import type { GroupId, JobId } from '../../src/ids.ts';
import { Rejection } from '../../src/errors.ts';
import { FINAL_STATES, JOB_STATES } from '../../src/jobs/job.ts';
import { jobSpecSchema } from '../../src/jobs/spec.ts';
import { LIMITS } from '../../src/limits.ts';
import { parseDuration } from '../../src/units.ts';

/** What requests carry and answers look like; the answers' types are those of src/api/views.ts, held by the checker. */

function isDuration(text: string): boolean {
  try {
    parseDuration(text);
    return true;
  } catch {
    return false;
  }
}

/** Milliseconds, from text such as `30s`. */
export const durationMs = z
  .string()
  .refine(isDuration, { message: 'must be a duration such as "90s", "10m" or "1h"', abort: true })
  .transform(parseDuration)
  .meta({ description: 'A duration such as "90s", "10m" or "1h".' });

/** Of something that ends: none is over when it is made. */
export const lifetimeMs = durationMs.pipe(z.number().min(1, 'must be longer than 0'));

export const consistency = z
  .enum(['linearizable', 'stale'])
  .default('linearizable')
  .meta({ description: '`stale` answers at once from this replica.' });

const DEFAULT_WAIT_MS = 30_000;
const DEFAULT_LIST_LIMIT = 100;

/** How long an answer may be waited for. */
export const waitMs = durationMs
  .optional()
  .transform((ms) => Math.min(ms ?? DEFAULT_WAIT_MS, LIMITS.waitMaxMs))
  .meta({ description: `A duration; 30s when left out, 10m at most.` });

export const pageQuery = {
  limit: z.coerce
    .number<string>()
    .pipe(z.int().min(1).max(LIMITS.listMax))
    .default(DEFAULT_LIST_LIMIT)
    .meta({ description: `At most ${LIMITS.listMax}.` }),
  cursor: z
    .string()
    .refine(isJobId, 'must be the `nextCursor` of the page before')
    .optional()
    .meta({ description: '`nextCursor` of the page before.' }),
};

/** Of a query parameter that may come several times. */
export function several<Item extends z.ZodType<unknown, string>>(item: Item) {
  return z
    .union([z.string(), z.array(z.string()).max(LIMITS.labels)])
    .transform((given) => (typeof given === 'string' ? [given] : given))
    .pipe(z.array(item));
}

export const labelsWanted = several(z.string().regex(/^[^=]+=/, 'must be NAME=VALUE'))
  .transform((labels): Readonly<Record<string, string>> => Object.fromEntries(labels.map(splitLabel)))
  .optional()
  .meta({ description: 'NAME=VALUE; may come several times, then all must match.' });

function splitLabel(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}

export const readQuery = z.strictObject({ consistency });

const anyId = z.string().min(1).max(LIMITS.nameLength);
export const idParams = z.strictObject({ id: anyId });

/** @throws Rejection `unknownGroup`: no group can have it */
export function groupId(text: string): GroupId {
  if (!isGroupId(text)) throw new Rejection('unknownGroup', 'there is no such group: an id is a UUID in lower case');
  return text;
}

/** @throws Rejection `notFound`: no job can have it */
export function jobId(text: string): JobId {
  if (!isJobId(text)) throw new Rejection('notFound', 'there is no such job: an id is a UUID in lower case');
  return text;
}

const time = z.iso.datetime();
const usage = z.object({
  cpuUserMs: z.number(),
  cpuSystemMs: z.number(),
  maxRssBytes: z.number().nullable(),
});

const attemptView = z.object({
  attempt: z.int(),
  runner: z.string(),
  state: z.enum(['assigned', 'running', 'succeeded', 'failed', 'timedOut', 'cancelled', 'lost', 'preempted']),
  assignedAt: time,
  startedAt: time.nullable(),
  endedAt: time.nullable(),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  reason: z.string().nullable(),
  usage: usage.nullable(),
  outputs: z.object({ rootDigest: z.string(), entries: z.int(), bytes: z.int() }).nullable(),
});

const waitView = z.union([
  z.object({ why: z.literal('dependencies'), missing: z.array(z.string()) }),
  z.object({ why: z.enum(['notBefore', 'backoff']), until: time }),
  z.object({ why: z.enum(['resourceGroup', 'group']) }),
]);

export const jobView = z
  .object({
    id: z.string(),
    state: z.enum(JOB_STATES),
    spec: jobSpecSchema,
    project: z.string(),
    queue: z.string(),
    submittedBy: z.string(),
    submittedAt: time,
    finalAt: time.nullable(),
    exitCode: z.int().nullable().meta({ description: 'Of the last attempt.' }),
    signal: z.string().nullable(),
    reason: z.string().nullable(),
    attempts: z.array(attemptView),
    parent: z.string().nullable(),
    group: z.string().nullable(),
    schedule: z
      .object({ name: z.string(), due: time.nullable().meta({ description: 'Null: it was triggered.' }) })
      .nullable()
      .meta({ description: 'The schedule that submitted it.' }),
    waitsFor: waitView.nullable().meta({ description: 'Null unless it waits.' }),
    index: z.int(),
  })
  .meta({ id: 'Job' }) satisfies z.ZodType<JobView>;

export const outputsView = z
  .object({
    rootDigest: z.string().nullable().meta({ description: 'Null: it left nothing.' }),
    entries: z.int(),
    bytes: z.int(),
    items: z.array(
      z.object({
        path: z.string(),
        kind: z.enum(['file', 'directory', 'symlink']),
        size: z.int().optional(),
        hash: z.string().optional(),
        executable: z.boolean().optional(),
        target: z.string().optional(),
      }),
    ),
    nextCursor: z.string().nullable(),
  })
  .meta({ id: 'Outputs' });

export const explanationView = z
  .looseObject({ state: z.enum(JOB_STATES) })
  .meta({ id: 'Explanation', description: 'Why a job is where it is; what it holds beside the state goes by that.' });

const count = z.int().nonnegative();

export const groupView = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    project: z.string(),
    labels: z.record(z.string(), z.string()),
    state: z.enum(['open', 'closed', 'finished']),
    maxRunning: z.int().nullable(),
    failFast: z.boolean(),
    counts: z.record(z.enum(JOB_STATES), count).meta({ description: 'How many of its jobs are in each state.' }),
    createdBy: z.string(),
    createdAt: time,
    finishedAt: time.nullable(),
    cancelledBy: z.string().nullable(),
    index: z.int(),
  })
  .meta({ id: 'Group' }) satisfies z.ZodType<GroupView>;

const resourcesView = z.object({
  cpu: z.number(),
  memory: z.number(),
  gpu: z.number(),
  disk: z.number(),
  custom: z.record(z.string(), z.number()),
});

const limitsView = z.object({ running: z.int().nullable(), cpu: z.number().nullable(), memory: z.number().nullable() });
const share = z.number().meta({ description: 'The part of the cluster that it holds, of what it holds most of.' });

export const queueView = z
  .object({
    name: z.string(),
    weight: z.int(),
    paused: z.boolean(),
    strategy: z.enum(['spread', 'pack']),
    preemption: z.enum(['off', 'requeue']),
    limits: limitsView,
    projectLimits: limitsView,
    queued: count,
    running: count,
    used: resourcesView,
    share,
    projects: z.array(z.object({ project: z.string(), queued: count, running: count, used: resourcesView, share })),
    index: z.int().nullable().meta({ description: 'Null: nobody has set anything.' }),
  })
  .meta({ id: 'Queue' }) satisfies z.ZodType<QueueView>;

export const runnerView = z
  .object({
    id: z.string(),
    incarnation: z.string(),
    total: resourcesView,
    free: resourcesView,
    labels: z.record(z.string(), z.string()),
    state: z.enum(['ready', 'draining', 'lost']),
    running: z.array(z.string()),
    load: z.object({ load1: z.number(), memoryFree: z.number(), diskFree: z.number() }).nullable(),
  })
  .meta({ id: 'Runner' }) satisfies z.ZodType<RunnerView>;

export const statsView = z
  .object({
    jobs: z
      .object({ waiting: count, queued: count, assigned: count, running: count })
      .meta({ description: 'Those that are not final.' }),
    totals: z
      .object({ submitted: count, started: count, ended: z.record(z.enum(FINAL_STATES), count) })
      .meta({ description: 'Since the cluster began; their differences are rates.' }),
    oldestQueued: z
      .object({
        id: z.string(),
        name: z.string().nullable(),
        queue: z.string(),
        project: z.string(),
        submittedAt: time,
      })
      .nullable()
      .meta({ description: 'Of the queued jobs the one that was submitted first.' }),
    index: z.int(),
  })
  .meta({ id: 'Stats' }) satisfies z.ZodType<StatsView>;

const memberView = z.object({
  id: z.string(),
  role: z.enum(['voter', 'learner', 'worker']),
  addresses: z.array(z.string()),
  http: z.string().nullable(),
  health: z.enum(['alive', 'unreachable', 'unknown']),
  version: z.string(),
  wish: z.enum(['voter', 'learner', 'leave']).nullable().meta({ description: 'Null: the leader decides.' }),
  commitIndex: z.int().nullable().meta({ description: 'Null: it was not asked, or did not answer.' }),
  appliedIndex: z.int().nullable(),
  lag: z.int().nullable().meta({ description: "Entries of the leader's log that it does not hold yet." }),
  lastSeen: time.nullable().meta({ description: 'When the leader heard of it last.' }),
});

const warningView = z.object({
  code: z.enum(WARNING_CODES),
  detail: z.string(),
  member: z.string().nullable(),
});

export const clusterView = z
  .object({
    clusterId: z.string(),
    node: z.string().meta({ description: 'The node that answered.' }),
    leader: z.string().nullable(),
    term: z.int(),
    commitIndex: z.int(),
    appliedIndex: z.int(),
    members: z.array(memberView),
    faultTolerance: z.int().meta({ description: 'How many more voters may fail before nothing is taken any more.' }),
    warnings: z.array(warningView),
    settings: z.object({
      voters: z.int().meta({ description: 'How many nodes are to vote.' }),
      replaceDeadAfter: z.string().meta({ description: 'A duration, `automatic` or `never`.' }),
    }),
  })
  .meta({ id: 'Cluster' }) satisfies z.ZodType<ClusterView>;

export const scope = z.enum(SCOPES);

export const tokenView = z
  .object({ id: z.string(), name: z.string(), scopes: z.array(scope), expiresAt: time.nullable() })
  .meta({ id: 'Token' }) satisfies z.ZodType<TokenView>;

export const createdToken = z
  .object({ ...tokenView.shape, token: z.string().meta({ description: 'Told this once.' }) })
  .meta({ id: 'CreatedToken' }) satisfies z.ZodType<CreatedToken>;

export const createdJoinToken = z
  .object({ token: z.string(), uses: z.int(), expiresAt: time })
  .meta({ id: 'CreatedJoinToken' }) satisfies z.ZodType<CreatedJoinToken>;

export const invitation = z
  .object({ ...createdJoinToken.shape, command: z.string().meta({ description: 'To be run on the new machine.' }) })
  .meta({ id: 'Invitation' }) satisfies z.ZodType<InvitationView>;

export const readiness = z
  .object({ ready: z.boolean(), missing: z.array(z.string()) })
  .meta({ id: 'Readiness' }) satisfies z.ZodType<Readiness>;

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().meta({ description: 'Stable: what programs may rely on.' }),
    detail: z.string(),
    field: z.exactOptional(z.string()),
    limit: z.exactOptional(z.object({ name: z.string(), value: z.number() })),
  })
  .meta({ id: 'Problem' }) satisfies z.ZodType<Problem>;

/** `copies`: nodes that have it, durable. */
export const blobView = z.object({ hash: z.string(), size: z.int(), copies: z.int() }).meta({ id: 'Blob' });

export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}
