import { SYSTEM } from '../src/auth.ts';
import { Fault, Rejection } from '../src/errors.ts';
import type { NodeId, TokenId } from '../src/ids.ts';
import type { KnownMembers } from './membership.ts';
import type { PeerNetwork } from './p2p/network.ts';
import type { Replica } from './replica/replica.ts';
import { expectTaken } from './service/results.ts';
import { hashSecret } from './service/token-service.ts';
import { decodeVersioned, encodeVersioned } from './versioned.ts';

const CHANGE_TRIES = 50;
const CHANGE_PAUSE_MS = 200;

interface JoinRequest {
  readonly token: TokenId;
  readonly secret: string;
  readonly addresses: readonly string[];
  readonly version: string;
}

interface JoinAnswer {
  readonly clusterId: string;
  readonly members: readonly (readonly [NodeId, readonly string[]])[];
}

/**
 * At a member: lets a node in. The token is used up by an entry of the log, so two members cannot both take its last
 * use; a node that asks again with the same token is let in again.
 */
export async function answerJoin(
  parts: { readonly replica: Replica; readonly network: PeerNetwork; readonly members: () => KnownMembers },
  from: NodeId,
  body: Uint8Array,
): Promise<Uint8Array> {
  const request = readRequest(body);
  const { replica, network } = parts;
  const { addresses, version } = request;
  const hash = hashSecret(request.secret);
  expectTaken(
    await replica.propose(SYSTEM, [{ kind: 'useJoinToken', id: request.token, hash, node: from, addresses, version }]),
  );
  await addLearner(replica, from);
  const members = new Map(parts.members()).set(network.self, network.addresses());
  members.delete(from);
  const answer: JoinAnswer = { clusterId: replica.state.cluster?.clusterId ?? '', members: [...members] };
  return encodeVersioned(answer);
}

/** At the new node. @throws Rejection as the member answered; Fault `peerUnreachable` */
export async function join(
  network: PeerNetwork,
  addresses: readonly string[],
  request: JoinRequest,
): Promise<{ readonly clusterId: string; readonly members: KnownMembers }> {
  const answer = decodeVersioned(await network.join(addresses, encodeVersioned(request))) as JoinAnswer;
  return { clusterId: answer.clusterId, members: new Map(answer.members) };
}

/** One change of the membership goes at a time: another node's may be under way. */
async function addLearner(replica: Replica, node: NodeId): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      const { voters, learners, learnersNext } = replica.consensus.configuration;
      if ([...voters, ...learners, ...learnersNext].includes(node)) return;
      await replica.changeMembership(node, 'learner');
      return;
    } catch (error) {
      const passing = error instanceof Fault || (error instanceof Rejection && error.code === 'changeInProgress');
      if (!passing || tries === CHANGE_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, CHANGE_PAUSE_MS));
    }
  }
}

function readRequest(body: Uint8Array): JoinRequest {
  const request = decodeVersioned(body) as Partial<JoinRequest> | null;
  const { token, secret, addresses, version } = request ?? {};
  const valid =
    typeof token === 'string' &&
    typeof secret === 'string' &&
    typeof version === 'string' &&
    Array.isArray(addresses) &&
    addresses.length <= 16 &&
    addresses.every((address) => typeof address === 'string' && address.length <= 256);
  if (!valid) throw new Rejection('invalidRequest', 'the request to join is malformed');
  return { token, secret, addresses, version };
}
