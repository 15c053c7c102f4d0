import type { GroupId, JobId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import type { ChangeSet } from './change-set.ts';
import { type CommandResult, type Idempotency, refuse, type Refusal } from './commands.ts';
import type { ClusterState } from './state.ts';

/** A client's key is its own: another may use the same. */
export function idempotencyKey(by: string, key: string): string {
  return `${by}\0${key}`;
}

/** What was made of a request: the kind stands in the key's record too. */
export type Made = { readonly job: JobId } | { readonly group: GroupId };

/** The answer to a request whose key is known; null: it is new, or has none. */
export function knownRequest(
  state: ClusterState,
  idempotency: Idempotency | null,
  by: string,
  kind: 'job' | 'group',
): CommandResult | null {
  if (idempotency === null) return null;
  const known = state.idempotency.get(idempotencyKey(by, idempotency.key));
  if (known === undefined) return null;
  if ('bodyHash' in known && known.bodyHash === idempotency.bodyHash) {
    if (kind === 'job' && 'job' in known) return { ok: true, job: known.job, existed: true };
    if (kind === 'group' && 'group' in known) return { ok: true, group: known.group, existed: true };
  }
  return refuse('idempotencyConflict', 'the key was used for another request', 'Idempotency-Key');
}

/** Whether one more key can be remembered. */
export function refuseKey({ idempotency: keys }: ClusterState, given: Pick<Idempotency, 'key'> | null): Refusal | null {
  if (given === null || keys.size < LIMITS.idempotencyKeys) return null;
  return refuse('tooManyRequests', `the cluster remembers ${LIMITS.idempotencyKeys} keys (idempotencyKeys)`);
}

/** Remembers what is made under a key, for a day. */
export function noteRequest(
  changes: ChangeSet,
  idempotency: Idempotency | null,
  by: string,
  made: Made,
): Refusal | null {
  if (idempotency === null) return null;
  const { state, now } = changes;
  const refusal = refuseKey(state, idempotency);
  if (refusal !== null) return refusal;
  const key = idempotencyKey(by, idempotency.key);
  const record = { ...made, bodyHash: idempotency.bodyHash, expiresAt: now.at + LIMITS.idempotencyTtlMs };
  state.idempotency.set(key, record);
  state.due.set({ kind: 'idempotency', key, at: record.expiresAt });
  changes.record('idempotency', key, record);
  return null;
}
