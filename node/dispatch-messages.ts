import type { Incarnation, NodeId } from '../src/ids.ts';
import type { MemberPosition, MemberReport } from './member-messages.ts';
import { decodeVersioned, encodeVersioned } from './versioned.ts';

/** Questions on the `dispatch` stream, between members. */
export type DispatchRequest =
  /** From a node that runs jobs to the leader; answered by a `DispatchAnswer`. */
  | { readonly kind: 'renewLease'; readonly runner: NodeId; readonly incarnation: Incarnation }
  /** To the leader; answered by its `MemberReport`, or null when it does not lead. */
  | { readonly kind: 'reportMembers' }
  /** To any member; answered by its `MemberPosition`. */
  | { readonly kind: 'tellPosition' };

/** `unknown`: the leader's state does not hold this incarnation as alive; it must register anew. */
export type DispatchAnswer = 'renewed' | 'notLeader' | 'unknown';

export function encodeDispatch(
  message: DispatchRequest | DispatchAnswer | MemberReport | MemberPosition | null,
): Uint8Array {
  return encodeVersioned(message);
}

export function decodeDispatchRequest(bytes: Uint8Array): DispatchRequest {
  return decodeVersioned(bytes) as DispatchRequest;
}

export function decodeDispatchAnswer(bytes: Uint8Array): DispatchAnswer {
  return decodeVersioned(bytes) as DispatchAnswer;
}

export function decodeMemberReport(bytes: Uint8Array): MemberReport | null {
  return decodeVersioned(bytes) as MemberReport | null;
}

export function decodeMemberPosition(bytes: Uint8Array): MemberPosition {
  return decodeVersioned(bytes) as MemberPosition;
}
