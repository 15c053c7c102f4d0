import type { Incarnation, NodeId } from '../src/ids.ts';
import { decodeVersioned, encodeVersioned } from './versioned.ts';

/** Questions on the `dispatch` stream: from a node that runs jobs to the leader. */
export interface DispatchRequest {
  readonly kind: 'renewLease';
  readonly runner: NodeId;
  readonly incarnation: Incarnation;
}

/** `unknown`: the leader's state does not hold this incarnation as alive; it must register anew. */
export type DispatchAnswer = 'renewed' | 'notLeader' | 'unknown';

export function encodeDispatch(message: DispatchRequest | DispatchAnswer): Uint8Array {
  return encodeVersioned(message);
}

export function decodeDispatchRequest(bytes: Uint8Array): DispatchRequest {
  return decodeVersioned(bytes) as DispatchRequest;
}

export function decodeDispatchAnswer(bytes: Uint8Array): DispatchAnswer {
  return decodeVersioned(bytes) as DispatchAnswer;
}
