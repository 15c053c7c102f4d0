import type { TokenId } from './ids.ts';

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

/** Who asks. It travels with a forwarded request into the entry, and apply checks it against the token table. */
export interface Principal {
  readonly id: string;
  /** The token that proved it; null for the cluster itself (`system`) and for anyone on loopback in `dev` (`local`). */
  readonly token: TokenId | null;
  readonly kind: 'token' | 'system' | 'local';
}

/** The cluster itself: its leader's decisions and its runners' reports. */
export const SYSTEM: Principal = { id: 'system', token: null, kind: 'system' };

/** A principal with what it may do, as found in the token table when the request came. */
export interface Identity {
  readonly principal: Principal;
  readonly scopes: readonly Scope[];
}

export function allows(scopes: readonly Scope[], needed: Scope): boolean {
  return scopes.includes('admin') || scopes.includes(needed);
}
