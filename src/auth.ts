import type { JobId, TokenId } from './ids.ts';

/** What a request may do. A route, RPC or command declares the one that it needs; `admin` holds all. */
export const SCOPES = [
  'jobs:read',
  'jobs:write',
  'blobs:read',
  'blobs:write',
  'runners:read',
  'runners:write',
  'cluster:read',
  'cluster:write',
  'tokens:write',
  'metrics:read',
  'admin',
] as const;
export type Scope = (typeof SCOPES)[number];

/** Who asks. It travels with a forwarded request into the entry, and apply checks it against what it knows. */
export interface Principal {
  readonly id: string;
  /** The token that proved it; null for the cluster itself (`system`) and for anyone on loopback in `dev` (`local`). */
  readonly token: TokenId | null;
  readonly kind: 'token' | 'system' | 'local' | 'job';
  /** Of the kind `job`: the attempt that asks. It may do so while it runs, and only for its own children and groups. */
  readonly job?: JobAttempt;
}

export interface JobAttempt {
  readonly id: JobId;
  readonly attempt: number;
}

export function jobPrincipal(job: JobAttempt): Principal {
  return { id: jobPrincipalId(job.id), token: null, kind: 'job', job };
}

/** As which a job submits, whichever of its attempts it is. */
export function jobPrincipalId(job: JobId): string {
  return `job:${job}`;
}

/** The cluster itself: its leader's decisions and its runners' reports. */
export const SYSTEM: Principal = { id: 'system', token: null, kind: 'system' };

/** What the token in a job's environment may do, for what is its own. */
export const JOB_SCOPES: readonly Scope[] = ['jobs:read', 'jobs:write'];

/** A principal with what it may do, as found in the token table when the request came. */
export interface Identity {
  readonly principal: Principal;
  readonly scopes: readonly Scope[];
}

export function allows(scopes: readonly Scope[], needed: Scope): boolean {
  return scopes.includes('admin') || scopes.includes(needed);
}
