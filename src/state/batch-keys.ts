import type { JobId } from '../ids.ts';
import { lineId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import type { ChangeSet } from './change-set.ts';
import { type BatchKey, type CommandResult, refuse, type Refusal } from './commands.ts';
import { idempotencyKey, refuseKey } from './idempotency.ts';
import { hasNumber, withNumber } from './number-ranges.ts';
import type { ClusterState } from './state.ts';

/** Gaps between lines that were taken; beyond it the first is closed, and its lines are not taken under this key. */
const MAX_GAPS = 1000;

/**
 * The lines of a batch that is sent under a key share one record: the id that their own are counted from, and which of
 * them were taken.
 *
 * @returns the id of a line that is new; the answer to one that was taken before
 */
export function lineUnderKey(
  { idempotency }: ClusterState,
  { key, line, base }: BatchKey,
  by: string,
): JobId | CommandResult {
  const known = idempotency.get(idempotencyKey(by, key));
  if (known === undefined) return lineId(base, line);
  if (!('batch' in known))
    return refuse('idempotencyConflict', 'the key was used for another request', 'Idempotency-Key');
  const id = lineId(known.batch, line);
  return hasNumber(known.lines, line) ? { ok: true, job: id, existed: true } : id;
}

export function noteLine(changes: ChangeSet, given: BatchKey, by: string): Refusal | null {
  const { state, now } = changes;
  const { line, base } = given;
  const key = idempotencyKey(by, given.key);
  const known = state.idempotency.get(key);
  if (known === undefined) {
    const refusal = refuseKey(state, given);
    if (refusal !== null) return refusal;
  }
  const before = known !== undefined && 'batch' in known ? known : null;
  const expiresAt = before?.expiresAt ?? now.at + LIMITS.idempotencyTtlMs;
  const lines = withNumber(before?.lines ?? [], line);
  if (lines.length > 2 * MAX_GAPS) lines.splice(1, 2);
  const record = { batch: before?.batch ?? base, lines, expiresAt };
  state.idempotency.set(key, record);
  if (before === null) state.due.set({ kind: 'idempotency', key, at: expiresAt });
  changes.record('idempotency', key, record);
  return null;
}

/** @returns null when it is not known any more */
export function repeatedLine(state: ClusterState, batch: BatchKey, id: JobId, by: string): CommandResult | null {
  const known = state.idempotency.get(idempotencyKey(by, batch.key));
  if (known === undefined || !('batch' in known)) return null;
  const job = lineId(known.batch, batch.line);
  return job === id ? { ok: true, job } : { ok: true, job, existed: true };
}
