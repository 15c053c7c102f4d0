import { assert, unreachable } from '../../src/errors.ts';
import type { PersistRequest } from '../../raft/effects.ts';
import type { Entry, HardState, Index, SnapshotMeta } from '../../raft/types.ts';
import { entryBytes } from './block-codec.ts';

/** One thing asked of the log. */
export type LogWrite =
  | { readonly kind: 'persist'; readonly request: PersistRequest }
  | { readonly kind: 'compact'; readonly meta: SnapshotMeta };

export interface LogState {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta | null;
  readonly first: Index;
  readonly last: Index;
}

/** Several writes as one change of what is on disk. */
export interface LogPlan {
  readonly hardState: HardState;
  /** The same object as before when it did not change. */
  readonly snapshot: SnapshotMeta | null;
  readonly first: Index;
  /** Entries on disk up to here stay; the others are dropped. Below `first` when none stays. */
  readonly kept: Index;
  /** Whether the entries on disk are dropped altogether, those up to `kept` too. */
  readonly durable: 'kept' | 'dropped';
  /** From kept + 1 on. */
  readonly entries: readonly Entry[];
}

/** Takes the writes in their order; what a later one cancels never reaches the disk. */
export function planWrites(state: LogState, writes: readonly LogWrite[]): LogPlan {
  let plan: MutablePlan = { ...state, kept: state.last, durable: 'kept', entries: [] };
  for (const write of writes)
    plan = write.kind === 'persist' ? persist(plan, write.request) : compact(plan, write.meta);
  return plan;
}

/** What a request will add to the batch, roughly. */
export function writeBytes(write: LogWrite): number {
  switch (write.kind) {
    case 'persist':
      return write.request.entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    case 'compact':
      return 0;
    default:
      return unreachable(write);
  }
}

type MutablePlan = Omit<LogPlan, 'entries'> & { readonly entries: Entry[] };

function lastOf(plan: LogPlan): Index {
  return plan.kept + plan.entries.length;
}

function persist(before: MutablePlan, request: PersistRequest): MutablePlan {
  const { snapshot, truncateFrom, hardState } = request;
  let plan = before;
  if (snapshot !== null) plan = replaced(plan, snapshot);
  else if (truncateFrom !== null) plan = truncated(plan, truncateFrom);
  append(plan, snapshot === null ? request.entries : request.entries.filter(({ index }) => index > snapshot.index));
  if (hardState !== null) plan = { ...plan, hardState: checked(plan.hardState, hardState) };
  assert(plan.hardState.commit <= lastOf(plan), 'what is committed is in the log');
  assert((plan.entries.at(-1)?.term ?? 0) <= plan.hardState.term, 'no entry is from a term that is still to come');
  return plan;
}

function replaced(plan: MutablePlan, meta: SnapshotMeta): MutablePlan {
  assert(meta.index >= plan.first - 1, 'a snapshot never goes back behind the one that the log begins with');
  return { ...plan, snapshot: meta, first: meta.index + 1, kept: meta.index, durable: 'dropped', entries: [] };
}

function truncated(plan: MutablePlan, from: Index): MutablePlan {
  assert(from >= plan.first, 'nothing that a snapshot covers is truncated');
  assert(from > plan.hardState.commit, 'nothing that is committed is truncated');
  if (from <= plan.kept) return { ...plan, kept: from - 1, entries: [] };
  plan.entries.length = Math.min(plan.entries.length, from - 1 - plan.kept);
  return plan;
}

function append(plan: MutablePlan, entries: readonly Entry[]): void {
  let next = lastOf(plan) + 1;
  for (const entry of entries) {
    assert(entry.index === next++, 'entries are appended without gaps, behind a truncation of what they replace');
    plan.entries.push(entry);
  }
}

function compact(plan: MutablePlan, meta: SnapshotMeta): MutablePlan {
  if (meta.index < plan.first) return plan;
  if (meta.index > lastOf(plan)) return replaced(plan, meta);
  return { ...plan, snapshot: meta, first: meta.index + 1 };
}

function checked(before: HardState, after: HardState): HardState {
  assert(after.term >= before.term, 'the term never goes back');
  assert(
    after.term > before.term || before.vote === null || after.vote === before.vote,
    'a vote is never changed within a term',
  );
  return after;
}
