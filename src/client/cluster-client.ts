import type { ClusterView, InvitationView, StatsView } from '../api/views.ts';
import { type CallOptions, type Calls, jsonBody, queryOf, type ReadOptions } from './calls.ts';

interface RoleRequest {
  readonly id: string;
  /** `voter` promotes a learner, `learner` demotes a voter for good, `automatic` lets the leader decide again. */
  readonly role: 'voter' | 'learner' | 'automatic';
  /** Even when no majority of the voters would be alive. */
  readonly force?: boolean;
}

/** A node waits so long for a change of the membership before it answers that it may still come. */
const MEMBERSHIP_MS = 40_000;

export class ClusterClient {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** `stale` answers without a leader. */
  get({ consistency, ...options }: ReadOptions = {}): Promise<ClusterView> {
    return this.#calls.get(`/v1/cluster${queryOf({ consistency })}`, options);
  }

  /** How many jobs are in which state, and what became of jobs so far. */
  stats({ consistency, ...options }: ReadOptions = {}): Promise<StatsView> {
    return this.#calls.get(`/v1/stats${queryOf({ consistency })}`, options);
  }

  setRole(request: RoleRequest, { signal }: CallOptions = {}): Promise<ClusterView> {
    const path = '/v1/cluster/members';
    return this.#calls.post(path, { ...jsonBody(request), repeat: 'always', waitsMs: MEMBERSHIP_MS, signal });
  }

  /** A join token for one machine, with the command to run there. `ttl` is a duration; an hour when left out. */
  invite(request: { readonly ttl?: string } = {}, { signal }: CallOptions = {}): Promise<InvitationView> {
    return this.#calls.post('/v1/cluster/members', { ...jsonBody(request), repeat: 'unsent', signal });
  }

  remove(id: string, { force = false, signal }: CallOptions & { readonly force?: boolean } = {}): Promise<ClusterView> {
    return this.#calls.json({
      method: 'DELETE',
      path: `/v1/cluster/members/${encodeURIComponent(id)}${force ? '?force=true' : ''}`,
      repeat: 'always',
      waitsMs: MEMBERSHIP_MS,
      signal,
    });
  }

  /** Resolves once the member leads. */
  transferLeadership(to: string, { signal }: CallOptions = {}): Promise<ClusterView> {
    const path = '/v1/cluster/transfer';
    return this.#calls.post(path, { ...jsonBody({ to }), repeat: 'always', waitsMs: MEMBERSHIP_MS, signal });
  }

  /** @param settings what is left out stays. `replaceDeadAfter` is a duration, `automatic` or `never` */
  set(
    settings: { readonly voters?: number; readonly replaceDeadAfter?: string },
    { signal }: CallOptions = {},
  ): Promise<ClusterView> {
    const path = '/v1/cluster/settings';
    return this.#calls.json({ method: 'PUT', path, ...jsonBody(settings), repeat: 'always', signal });
  }

  /** The whole state as of one moment; checking it is the caller's. UnreachableError when the connection breaks. */
  backup(options: CallOptions = {}): Promise<AsyncGenerator<Uint8Array, void>> {
    return this.#calls.bytes('/v1/cluster/backup', options);
  }
}
