import type { RaftOptions, StoredState } from '../../../raft/config.ts';
import type { Configuration, Entry, NodeId, Term } from '../../../raft/types.ts';

export const OPTIONS: RaftOptions = {
  electionTicks: 10,
  heartbeatTicks: 2,
  maxUncommittedBytes: 1024 * 1024,
  maxAppendBytes: 64 * 1024,
  maxInflightAppends: 8,
  maxInflightBytes: 1024 * 1024,
  maxApplyBytes: 1024 * 1024,
  reads: 'readIndex',
};

export function node(name: string): NodeId {
  return name as NodeId;
}

export function nodes(...names: string[]): NodeId[] {
  return names.map(node);
}

export function configuration(parts: {
  readonly voters: readonly string[];
  readonly outgoing?: readonly string[];
  readonly learners?: readonly string[];
  readonly learnersNext?: readonly string[];
}): Configuration {
  return {
    voters: nodes(...parts.voters),
    outgoing: nodes(...(parts.outgoing ?? [])),
    learners: nodes(...(parts.learners ?? [])),
    learnersNext: nodes(...(parts.learnersNext ?? [])),
  };
}

export function data(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Data entries from `first` on with these terms. */
export function entries(terms: readonly Term[], first = 1): Entry[] {
  return terms.map((term, position) => ({
    kind: 'data',
    index: first + position,
    term,
    data: data(`${term}.${first + position}`),
  }));
}

export function stored(parts: Partial<StoredState> & Pick<StoredState, 'initial'>): StoredState {
  const log = parts.entries ?? [];
  const term = log.at(-1)?.term ?? parts.snapshot?.term ?? 0;
  return { hardState: { term, vote: null, commit: 0 }, snapshot: null, entries: log, applied: 0, ...parts };
}

/** A log as the terms of its entries. */
export function termsOf(log: readonly Entry[]): Term[] {
  return log.map((entry) => entry.term);
}
