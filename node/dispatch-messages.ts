import { z } from 'zod';
import type { MemberPosition, MemberReport } from './member-messages.ts';
import type { HandOver, Whereabouts } from './blobs/port.ts';
import { count, incarnation, nodeId, text } from './message-shapes.ts';
import { decodeAnswer, decodeRequest, encodeVersioned } from './versioned.ts';

/** Questions on the `dispatch` stream, between members. */
const request = z.discriminatedUnion('kind', [
  /** From a node that runs jobs to the leader; answered by a `DispatchAnswer`. */
  z.object({ kind: z.literal('renewLease'), runner: nodeId, incarnation }),
  /** To the leader; answered by its `MemberReport`, or null when it does not lead. */
  z.object({ kind: z.literal('reportMembers') }),
  /** To any member; answered by its `MemberPosition`. */
  z.object({ kind: z.literal('tellPosition') }),
  /** To any member: where it takes the bytes of blobs; answered by its `Whereabouts`. */
  z.object({ kind: z.literal('tellWhereabouts') }),
  /** To a member that is to be removed: it hands over its blobs; answered by its `HandOver`. */
  z.object({ kind: z.literal('handOverBlobs') }),
]);
export type DispatchRequest = z.output<typeof request>;

/** `unknown`: the leader's state does not hold this incarnation as alive; it must register anew. */
const renewal = z.enum(['renewed', 'notLeader', 'unknown']);
export type DispatchAnswer = z.output<typeof renewal>;

const position = z.object({ commitIndex: count, appliedIndex: count });
const reportedMember = z.object({
  id: nodeId,
  matchIndex: count,
  isAlive: z.boolean(),
  isCaughtUp: z.boolean(),
  heardMsAgo: z.number().nullable(),
});
const report = z.object({
  term: count,
  lastIndex: count,
  commitIndex: count,
  members: z.array(reportedMember).readonly(),
});

const BULK_ADDRESSES_MAX = 64;
const handOver = z.object({ left: count });
const whereabouts = z.object({ addresses: z.array(text).max(BULK_ADDRESSES_MAX).readonly(), store: text });

export function encodeDispatch(
  message: DispatchRequest | DispatchAnswer | MemberReport | MemberPosition | Whereabouts | HandOver | null,
): Uint8Array {
  return encodeVersioned(message);
}

/** @throws as `decodeRequest` */
export function decodeDispatchRequest(bytes: Uint8Array): DispatchRequest {
  return decodeRequest(request, bytes);
}

/** @throws as `decodeAnswer`, and so do the others */
export function decodeDispatchAnswer(bytes: Uint8Array): DispatchAnswer {
  return decodeAnswer(renewal, bytes);
}

export function decodeMemberReport(bytes: Uint8Array): MemberReport | null {
  return decodeAnswer(report.nullable(), bytes);
}

export function decodeMemberPosition(bytes: Uint8Array): MemberPosition {
  return decodeAnswer(position, bytes);
}

export function decodeWhereabouts(bytes: Uint8Array): Whereabouts {
  return decodeAnswer(whereabouts, bytes);
}

export function decodeHandOver(bytes: Uint8Array): HandOver {
  return decodeAnswer(handOver, bytes);
}
