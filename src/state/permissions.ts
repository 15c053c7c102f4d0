import { allows, JOB_SCOPES, jobPrincipalId, type Principal, type Scope } from '../auth.ts';
import { unreachable } from '../errors.ts';
import type { GroupId, TokenId } from '../ids.ts';
import type { LiveJob, Timestamp } from '../jobs/job.ts';
import { type Command, type CommandKind, refuse, type Refusal } from './commands.ts';
import type { ClusterState } from './state.ts';

/** Who asks, as the replicated tables know them; what the proposal says of them beside the token's id counts nothing. */
export type Asker =
  | {
      readonly kind: 'token' | 'local';
      readonly id: string;
      /** Null: local. */
      readonly token: TokenId | null;
      readonly scopes: readonly Scope[];
      /** Null: for ever. */
      readonly until: Timestamp | null;
    }
  | {
      readonly kind: 'job';
      readonly id: string;
      readonly scopes: readonly Scope[];
      readonly until: null;
      readonly job: LiveJob;
    }
  | { readonly kind: 'system'; readonly id: 'system' };

interface Rule {
  /** What a client needs; null: no client may. */
  readonly scope: Scope | null;
  /** `founding`: the cluster itself only while it has no tokens, or in the proposal that makes it. */
  readonly system: 'may' | 'mayNot' | 'founding';
}

/** The one table from command to who may propose it. */
export const RULES: Readonly<Record<CommandKind, Rule>> = {
  submit: { scope: 'jobs:write', system: 'mayNot' },
  cancel: { scope: 'jobs:write', system: 'mayNot' },
  retry: { scope: 'jobs:write', system: 'mayNot' },
  createGroup: { scope: 'jobs:write', system: 'mayNot' },
  closeGroup: { scope: 'jobs:write', system: 'mayNot' },
  cancelGroup: { scope: 'jobs:write', system: 'mayNot' },
  createSchedule: { scope: 'jobs:write', system: 'mayNot' },
  setSchedule: { scope: 'jobs:write', system: 'mayNot' },
  deleteSchedule: { scope: 'jobs:write', system: 'mayNot' },
  triggerSchedule: { scope: 'jobs:write', system: 'mayNot' },
  planSchedule: { scope: null, system: 'may' },
  fireSchedule: { scope: null, system: 'may' },
  assign: { scope: null, system: 'may' },
  handBack: { scope: null, system: 'may' },
  preempt: { scope: null, system: 'may' },
  started: { scope: null, system: 'may' },
  ended: { scope: null, system: 'may' },
  setQueue: { scope: 'cluster:write', system: 'mayNot' },
  resetQueue: { scope: 'cluster:write', system: 'mayNot' },
  registerRunner: { scope: null, system: 'may' },
  loseRunner: { scope: null, system: 'may' },
  drainRunner: { scope: 'runners:write', system: 'mayNot' },
  clock: { scope: null, system: 'may' },
  purge: { scope: null, system: 'may' },
  announceNode: { scope: null, system: 'may' },
  wishMember: { scope: 'cluster:write', system: 'may' },
  setVoterPolicy: { scope: 'cluster:write', system: 'mayNot' },
  forgetNode: { scope: 'cluster:write', system: 'may' },
  createToken: { scope: 'tokens:write', system: 'founding' },
  revokeToken: { scope: 'tokens:write', system: 'mayNot' },
  createJoinToken: { scope: 'cluster:write', system: 'founding' },
  useJoinToken: { scope: null, system: 'may' },
  createCluster: { scope: null, system: 'may' },
  refoundCluster: { scope: null, system: 'may' },
};

export function identify(state: ClusterState, principal: Principal, at: Timestamp): Asker | Refusal {
  switch (principal.kind) {
    case 'system':
      return { kind: 'system', id: 'system' };
    case 'local':
      if (state.cluster?.auth !== 'loopbackOpen') return refuse('unauthenticated', 'this cluster asks for a token');
      return { kind: 'local', id: 'local', token: null, scopes: ['admin'], until: null };
    case 'token':
      return identifyToken(state, principal, at);
    case 'job':
      return identifyJob(state, principal);
    default:
      return unreachable(principal.kind);
  }
}

function identifyToken(state: ClusterState, principal: Principal, at: Timestamp): Asker | Refusal {
  const token = principal.token === null ? undefined : state.tokens.get(principal.token);
  if (token === undefined) return refuse('unauthenticated', 'the token is not known to this cluster');
  if (token.expiresAt !== null && token.expiresAt <= at) return refuse('tokenExpired', 'the token has expired');
  const { id, name, scopes, expiresAt } = token;
  return { kind: 'token', id: `token:${name}`, token: id, scopes, until: expiresAt };
}

/** Only the attempt that runs now: its token dies with it. */
function identifyJob({ jobs }: ClusterState, { job: attempt }: Principal): Asker | Refusal {
  const job = attempt === undefined ? undefined : jobs.get(attempt.id);
  const isLive = job?.state === 'assigned' || job?.state === 'running';
  if (!isLive || job.current.attempt !== attempt?.attempt) {
    return refuse('unauthenticated', 'the attempt that this token belongs to has ended');
  }
  return { kind: 'job', id: jobPrincipalId(job.id), scopes: JOB_SCOPES, until: null, job };
}

/** A job acts for its children and the groups that it made, and brings children into its own group. */
export function permitOwn(state: ClusterState, asker: Asker, command: Command): Refusal | null {
  if (asker.kind !== 'job') return null;
  const own = asker.job.id;
  switch (command.kind) {
    case 'submit':
      if (command.spec.parent !== own) return refuse('forbidden', 'a job submits only children of its own', 'parent');
      return mayJoin(state, asker, command.spec.group) ? null : refuse('forbidden', 'not a group of this job', 'group');
    case 'cancel':
      return state.jobs.get(command.job)?.plan.parent === own ? null : NOT_OWN;
    case 'retry':
      return command.record.spec.parent === own ? null : NOT_OWN;
    case 'createGroup':
      return null;
    case 'closeGroup':
    case 'cancelGroup':
      return state.groups.get(command.id)?.createdBy === asker.id ? null : NOT_OWN;
    default:
      return NOT_OWN;
  }
}

const NOT_OWN = refuse('forbidden', 'a job may do this only with its own children and groups');

function mayJoin({ groups }: ClusterState, asker: Extract<Asker, { kind: 'job' }>, id: GroupId | undefined): boolean {
  if (id === undefined || id === asker.job.plan.group) return true;
  return groups.get(id)?.createdBy === asker.id;
}

/** @param founding whether the proposal that the command is part of has made the cluster */
export function permit(
  state: ClusterState,
  asker: Asker,
  kind: CommandKind,
  founding: 'founding' | 'founded',
): Refusal | null {
  const rule = RULES[kind];
  if (asker.kind === 'system') {
    const isFirst = rule.system === 'founding' && (founding === 'founding' || state.tokens.size === 0);
    return rule.system === 'may' || isFirst ? null : refuse('forbidden', `${kind} needs a principal`);
  }
  if (rule.scope === null) return refuse('forbidden', `${kind} is for the cluster itself`);
  return allows(asker.scopes, rule.scope) ? null : refuse('forbidden', `this needs the scope ${rule.scope}`);
}

/** Delegation only narrows: nobody gives what they do not hold, nor for longer than they hold it. */
export function permitDelegation(asker: Asker, scopes: readonly Scope[], expiresAt: Timestamp | null): Refusal | null {
  if (asker.kind === 'system') return null;
  const missing = scopes.find((scope) => !allows(asker.scopes, scope));
  if (missing !== undefined) return refuse('forbidden', `the scope ${missing} is not yours to give`, 'scopes');
  if (asker.until !== null && (expiresAt === null || expiresAt > asker.until)) {
    return refuse('forbidden', 'a token must not outlive the one that makes it', 'ttl');
  }
  return null;
}
