import fc from 'fast-check';
import type { PersistRequest } from '../../../raft/effects.ts';
import type { Entry, HardState, SnapshotMeta } from '../../../raft/types.ts';
import type { LogStore } from '../../../node/storage/ports.ts';
import { NODE, OTHER, configuration, data, meta, request } from './log-builders.ts';

/** What a log store must hold, in the plainest way. */
export interface LogModel {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta | null;
  readonly entries: readonly Entry[];
}

export const EMPTY_MODEL: LogModel = { hardState: { term: 0, vote: null, commit: 0 }, snapshot: null, entries: [] };

/** What a core could do next; numbers are taken modulo what the model allows. */
export type Step =
  | { readonly kind: 'append'; readonly count: number; readonly size: number }
  | { readonly kind: 'conflict'; readonly at: number; readonly count: number }
  | { readonly kind: 'vote'; readonly by: 'self' | 'other' | 'none' }
  | { readonly kind: 'commit'; readonly by: number }
  | { readonly kind: 'change' }
  | { readonly kind: 'snapshot'; readonly ahead: number }
  | { readonly kind: 'compact'; readonly by: number };

const small = fc.nat({ max: 200 });
export const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), count: small, size: fc.nat(4000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('conflict' as const), at: small, count: small }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('vote' as const), by: fc.constantFrom('self', 'other', 'none') }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('commit' as const), by: small }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'change' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('snapshot' as const), ahead: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const), by: small }) },
);

export type Call = { readonly persist: PersistRequest } | { readonly compact: SnapshotMeta };

/** The call that a step makes, and what the store must hold once it is done. */
export function takeStep(before: LogModel, step: Step): { readonly call: Call; readonly model: LogModel } {
  const first = (before.snapshot?.index ?? 0) + 1;
  const last = first + before.entries.length - 1;
  const { hardState } = before;
  const term = Math.max(hardState.term, 1);
  const raised = { ...hardState, term };
  switch (step.kind) {
    case 'append': {
      const entries = Array.from({ length: step.count }, (_, at) => data(last + 1 + at, term, 'x'.repeat(step.size)));
      const parts = { hardState: term === hardState.term ? null : raised, entries };
      return persist(parts, { ...before, hardState: raised, entries: [...before.entries, ...entries] });
    }
    case 'conflict': {
      const from = Math.max(first, hardState.commit + 1, last + 1 - step.at);
      const next = { term: term + 1, vote: null, commit: hardState.commit };
      const entries = Array.from({ length: step.count }, (_, at) => data(from + at, term + 1));
      const kept = before.entries.filter(({ index }) => index < from);
      const parts = { hardState: next, truncateFrom: from, entries };
      return persist(parts, { ...before, hardState: next, entries: [...kept, ...entries] });
    }
    case 'vote': {
      const vote = { self: NODE, other: OTHER, none: null }[step.by];
      const next = { term: term + 1, vote, commit: hardState.commit };
      return persist({ hardState: next }, { ...before, hardState: next });
    }
    case 'commit': {
      const next = { ...raised, commit: Math.min(last, hardState.commit + step.by) };
      return persist({ hardState: next }, { ...before, hardState: next });
    }
    case 'change': {
      const entry: Entry = { kind: 'configuration', index: last + 1, term, configuration: configuration(`n${last}`) };
      return persist(
        { hardState: raised, entries: [entry] },
        { ...before, hardState: raised, entries: [...before.entries, entry] },
      );
    }
    case 'snapshot': {
      const snapshot = meta(hardState.commit + 1 + step.ahead, term);
      const next = { ...raised, commit: snapshot.index };
      return persist({ hardState: next, snapshot }, { hardState: next, snapshot, entries: [] });
    }
    case 'compact': {
      const index = Math.max(first - 1, hardState.commit - step.by);
      if (index < first) return { call: { compact: meta(index, term) }, model: before };
      const compacted = meta(index, term);
      const entries = before.entries.filter((entry) => entry.index > index);
      return { call: { compact: compacted }, model: { ...before, snapshot: compacted, entries } };
    }
  }
}

function persist(parts: Parameters<typeof request>[0], model: LogModel): { call: Call; model: LogModel } {
  return { call: { persist: request(parts) }, model };
}

export function makeCall(store: LogStore, call: Call): Promise<void> {
  return 'persist' in call ? store.persist(call.persist) : store.compact(call.compact);
}
