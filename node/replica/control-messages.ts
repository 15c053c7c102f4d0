import { z } from 'zod';
import type { SnapshotMeta } from '../../raft/types.ts';
import { count, members, nodeId } from '../message-shapes.ts';
import { configurationSchema } from '../storage/block-codec.ts';
import { decodeAnswer, decodeRequest, encodeVersioned } from '../versioned.ts';
import { REPLICA_LIMITS } from './limits.ts';

const { entryProposals, proposalBytes } = REPLICA_LIMITS;
const proposal = z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length <= proposalBytes);

/** Questions on the `control` stream, from any member to the leader or to another, or from the leader to a follower. */
const request = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('propose'), proposals: z.array(proposal).max(entryProposals).readonly() }),
  z.object({ kind: z.literal('changeMembership'), node: nodeId, role: z.enum(['voter', 'learner', 'none']) }),
  z.object({ kind: z.literal('transfer'), to: nodeId }),
  /** Whom the asked one takes for members: the asker may have been away while they changed. */
  z.object({ kind: z.literal('members') }),
  /** The follower is to fetch a snapshot from the asker and to answer when it holds it. */
  z.object({ kind: z.literal('fetchSnapshot'), term: count }),
]);
export type ControlRequest = z.output<typeof request>;

const answer = z.discriminatedUnion('kind', [
  z.object({ kind: z.enum(['taken', 'refused']) }),
  z.object({ kind: z.literal('changed'), index: count }),
  z.object({ kind: z.literal('members'), members: members.readonly() }),
  z.object({ kind: z.literal('fetched') }),
]);
export type ControlAnswer = z.output<typeof answer>;

const snapshotMeta = z.object({ index: count, term: count, configuration: configurationSchema });

export function encodeControl(message: ControlRequest | ControlAnswer): Uint8Array {
  return encodeVersioned(message);
}

/** @throws as `decodeRequest` */
export function decodeControlRequest(bytes: Uint8Array): ControlRequest {
  return decodeRequest(request, bytes);
}

/** @throws as `decodeAnswer` */
export function decodeControlAnswer(bytes: Uint8Array): ControlAnswer {
  return decodeAnswer(answer, bytes);
}

/** The first chunk of a snapshot's stream. */
export function encodeSnapshotMeta(meta: SnapshotMeta): Uint8Array {
  return encodeVersioned(meta);
}

/** @throws as `decodeAnswer` */
export function decodeSnapshotMeta(bytes: Uint8Array): SnapshotMeta {
  return decodeAnswer(snapshotMeta, bytes);
}
