import { z } from 'zod';
import { SYSTEM } from '../src/auth.ts';
import { Fault, Rejection } from '../src/errors.ts';
import type { NodeId, TokenId } from '../src/ids.ts';
import type { KnownMembers } from './membership.ts';
import { members, nodeId, text } from './message-shapes.ts';
import type { PeerNetwork } from './p2p/network.ts';
import { checkSuccession } from './recovery/succession.ts';
import type { Replica } from './replica/replica.ts';
import { expectTaken } from './service/results.ts';
import { hashSecret } from './service/token-service.ts';
import { decodeAnswer, decodeRequest, encodeVersioned } from './versioned.ts';

const CHANGE_TRIES = 50;
const CHANGE_PAUSE_MS = 200;

const SECRET_MAX = 256;
const OWN_ADDRESSES_MAX = 16;

const joinRequest = z.object({
  token: text.transform((id) => id as TokenId),
  secret: z.string().max(SECRET_MAX),
  addresses: z.array(text).max(OWN_ADDRESSES_MAX).readonly(),
  version: text,
  /** The member that the asker was before; null for a new node, absent in a request of an older version. */
  succession: z.object({ former: nodeId, proof: z.string() }).nullable().default(null),
});
type JoinRequest = z.output<typeof joinRequest>;

const joinAnswer = z.object({ clusterId: z.string(), members });
type JoinAnswer = z.output<typeof joinAnswer>;

/** What a node that does not know any more whether it is a member sends in place of a request to join. */
const STANDING_QUESTION = { ask: 'standing' } as const;
const strangersQuestion = z.union([z.object({ ask: z.literal('standing') }), joinRequest]);

const standingAnswer = z.object({ standing: z.enum(['member', 'none']) });
type Standing = z.output<typeof standingAnswer>;

/** At a member: answers strangers. @throws Rejection `joinRefused` and others; Fault `noLeader` and others */
export async function answerStranger(parts: JoinParts, from: NodeId, body: Uint8Array): Promise<Uint8Array> {
  const question = decodeRequest(strangersQuestion, body);
  return 'ask' in question ? tellStanding(parts.replica, from) : answerJoin(parts, from, question);
}

interface JoinParts {
  readonly replica: Replica;
  readonly network: PeerNetwork;
  readonly members: () => KnownMembers;
}

/** Behind a barrier: a member that is behind might not know yet of one that has joined. */
async function tellStanding(replica: Replica, node: NodeId): Promise<Uint8Array> {
  if (replica.leader === null) throw new Fault('noLeader', 'no leader is known at this member');
  await replica.barrier();
  const standing: Standing = { standing: isMember(replica, node) ? 'member' : 'none' };
  return encodeVersioned(standing);
}

/** At a node that was a member: whether it still is one. @throws as `PeerNetwork.join` */
export async function askStanding(
  network: Pick<PeerNetwork, 'join'>,
  addresses: readonly string[],
): Promise<Standing['standing']> {
  return decodeAnswer(standingAnswer, await network.join(addresses, encodeVersioned(STANDING_QUESTION))).standing;
}

/**
 * Lets a node in. The token is used up by an entry of the log, so two members cannot both take its last
 * use; a node that asks again with the same token is let in again.
 */
async function answerJoin(parts: JoinParts, from: NodeId, request: JoinRequest): Promise<Uint8Array> {
  const { replica, network } = parts;
  refuseVoter(replica, from);
  const { addresses, version, succession } = request;
  const hash = hashSecret(request.secret);
  if (succession !== null) await checkSuccession(succession, replica.state.cluster?.clusterId ?? '', from);
  expectTaken(
    await replica.propose(SYSTEM, [{ kind: 'useJoinToken', id: request.token, hash, node: from, addresses, version }]),
  );
  // First: a voter that never answers again makes every majority harder to reach.
  if (succession !== null && succession.former !== from) await removeFormer(replica, succession.former);
  await changeRole(replica, from, 'learner');
  // Again: only what was applied above makes sure that this member is not behind the one change that counts.
  refuseVoter(replica, from);
  const known = new Map(parts.members()).set(network.self, network.addresses());
  known.delete(from);
  const answer: JoinAnswer = {
    clusterId: replica.state.cluster?.clusterId ?? '',
    members: [...known],
  };
  return encodeVersioned(answer);
}

/** At the new node. @throws Rejection as the member answered; Fault `peerUnreachable` */
export async function join(
  network: PeerNetwork,
  addresses: readonly string[],
  request: JoinRequest,
): Promise<{ readonly clusterId: string; readonly members: KnownMembers }> {
  const answer = decodeAnswer(joinAnswer, await network.join(addresses, encodeVersioned(request)));
  return { clusterId: answer.clusterId, members: new Map(answer.members) };
}

async function removeFormer(replica: Replica, former: NodeId): Promise<void> {
  await changeRole(replica, former, 'none');
  if (!replica.state.nodes.has(former) && !replica.state.runners.has(former)) return;
  expectTaken(await replica.propose(SYSTEM, [{ kind: 'forgetNode', node: former }]));
}

/** One change of the membership goes at a time: another node's may be under way. */
async function changeRole(replica: Replica, node: NodeId, role: 'learner' | 'none'): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      if (isMember(replica, node) === (role === 'learner')) return;
      await replica.changeMembership(node, role);
      return;
    } catch (error) {
      const passing = error instanceof Fault || (error instanceof Rejection && error.code === 'changeInProgress');
      if (!passing || tries === CHANGE_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, CHANGE_PAUSE_MS));
    }
  }
}

/** Who votes has run before: where its log is gone, it may have forgotten a vote, and must not come back as itself. */
function refuseVoter(replica: Replica, node: NodeId): void {
  const { voters, outgoing } = replica.consensus.configuration;
  if (![...voters, ...outgoing].includes(node)) return;
  throw new Rejection('joinRefused', 'a voter with the key of this node is known: use an empty data folder');
}

function isMember(replica: Replica, node: NodeId): boolean {
  const { voters, outgoing, learners, learnersNext } = replica.consensus.configuration;
  return [...voters, ...outgoing, ...learners, ...learnersNext].includes(node);
}
