import type { Index, SnapshotMeta, Term } from '../../raft/types.ts';
import type { NodeId } from '../../src/ids.ts';
import { decodeVersioned, encodeVersioned } from '../versioned.ts';

/** Questions on the `control` stream, from any member to the leader or to another, or from the leader to a follower. */
export type ControlRequest =
  | { readonly kind: 'propose'; readonly proposals: readonly Uint8Array[] }
  | { readonly kind: 'changeMembership'; readonly node: NodeId; readonly role: 'voter' | 'learner' | 'none' }
  | { readonly kind: 'transfer'; readonly to: NodeId }
  /** Whom the asked one takes for members: the asker may have been away while they changed. */
  | { readonly kind: 'members' }
  /** The follower is to fetch a snapshot from the asker and to answer when it holds it. */
  | { readonly kind: 'fetchSnapshot'; readonly term: Term };

export type ControlAnswer =
  | { readonly kind: 'taken' | 'refused' }
  | { readonly kind: 'changed'; readonly index: Index }
  | { readonly kind: 'members'; readonly members: readonly (readonly [NodeId, readonly string[]])[] }
  | { readonly kind: 'fetched' };

export function encodeControl(message: ControlRequest | ControlAnswer): Uint8Array {
  return encodeVersioned(message);
}

export function decodeControlRequest(bytes: Uint8Array): ControlRequest {
  return decodeVersioned(bytes) as ControlRequest;
}

export function decodeControlAnswer(bytes: Uint8Array): ControlAnswer {
  return decodeVersioned(bytes) as ControlAnswer;
}

/** The first chunk of a snapshot's stream. */
export function encodeSnapshotMeta(meta: SnapshotMeta): Uint8Array {
  return encodeVersioned(meta);
}

export function decodeSnapshotMeta(bytes: Uint8Array): SnapshotMeta {
  return decodeVersioned(bytes) as SnapshotMeta;
}
