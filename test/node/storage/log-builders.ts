import type { PersistRequest } from '../../../raft/effects.ts';
import type { Configuration, Entry, NodeId, SnapshotMeta } from '../../../raft/types.ts';

export const NODE = 'node-a' as NodeId;
export const OTHER = 'node-b' as NodeId;

export function configuration(...voters: string[]): Configuration {
  return { voters: voters as NodeId[], outgoing: [], learners: [], learnersNext: [] };
}

export function data(index: number, term = 1, text = `entry ${index} of term ${term}`): Entry {
  return { kind: 'data', index, term, data: new TextEncoder().encode(text) };
}

/** Data entries first … last. */
export function range(first: number, last: number, term = 1): Entry[] {
  return Array.from({ length: last - first + 1 }, (_, position) => data(first + position, term));
}

export function meta(index: number, term = 1): SnapshotMeta {
  return { index, term, configuration: configuration('node-a', 'node-b') };
}

let seq = 0;

export function request(parts: Partial<Omit<PersistRequest, 'seq' | 'messages'>>): PersistRequest {
  return { hardState: null, truncateFrom: null, entries: [], snapshot: null, ...parts, seq: ++seq, messages: [] };
}

export function hardState(term: number, commit = 0, vote: NodeId | null = NODE) {
  return { term, vote, commit };
}
