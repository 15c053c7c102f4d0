import { v7 as uuidv7 } from 'uuid';
import { SYSTEM } from '../src/auth.ts';
import { Fault, Rejection } from '../src/errors.ts';
import type { Configuration } from '../raft/types.ts';
import type { NodeId } from '../src/ids.ts';
import type { NodeConfig } from './config/config.ts';
import { join } from './joining.ts';
import type { KnownMembers } from './membership.ts';
import { createClusterKey } from './p2p/cluster-key.ts';
import { decodeJoinToken, encodeJoinToken, type JoinToken } from './p2p/join-token.ts';
import type { PeerNetwork } from './p2p/network.ts';
import type { Replica } from './replica/replica.ts';
import { pendingRejoin } from './recovery/rejoin.ts';
import type { Succession } from './recovery/succession.ts';
import { expectTaken } from './service/results.ts';
import { formatToken, hashSecret, makeToken, parseToken } from './service/token-service.ts';
import type { DataFolder } from './storage/data-folder.ts';
import { VERSION } from './version.ts';

const FIRST_JOIN_TOKEN = { uses: 16, ttlMs: 24 * 60 * 60 * 1000 } as const;
const ADMIN_TOKEN = 'admin.token';
const JOIN_TOKEN = 'join.token';
const CLUSTER_KEY = 'cluster.key';
/** Who let this node in, and where they were: enough to find the cluster again before the log has arrived. */
const INTRODUCTION = 'introduction.json';

/** How this start came to its cluster. */
export type Founding =
  | { readonly kind: 'known'; readonly clusterId: string; readonly clusterKey: Uint8Array }
  | {
      readonly kind: 'joining';
      readonly clusterId: string;
      readonly clusterKey: Uint8Array;
      readonly token: JoinToken;
      /** Set when the node comes back under a new id. */
      readonly succession: Succession | null;
    };

/**
 * Decides from the data folder and the flags whether this node goes on, makes a cluster or joins one.
 * @throws Rejection `wrongCluster`, `joinRefused`, `invalidRequest`
 */
export async function findCluster(folder: DataFolder, config: NodeConfig): Promise<Founding> {
  const rejoin = await pendingRejoin(folder);
  if (rejoin !== null) return joining(rejoin.token, rejoin.succession);
  const token = joinTokenOf(config);
  if (folder.format.clusterId !== null) {
    if (token !== null && token.clusterId !== folder.format.clusterId) {
      throw new Rejection('wrongCluster', 'the data folder belongs to another cluster than the join token');
    }
    const key = await folder.readSecret(CLUSTER_KEY);
    if (key === null) throw new Fault('corrupt', `${CLUSTER_KEY} is missing from the data folder`);
    const clusterKey = Buffer.from(key, 'base64url');
    return { kind: 'known', clusterId: folder.format.clusterId, clusterKey };
  }
  if (token !== null) return joining(token, null);
  if (config.bootstrap || config.mode === 'dev') return foundCluster(folder);
  if (config.join.length > 0) {
    throw new Rejection('joinRefused', 'a new node needs a join token: an address alone does not carry the key');
  }
  throw new Rejection('invalidRequest', 'an empty data folder: say --bootstrap for a new cluster or --join TOKEN');
}

function joining(token: JoinToken, succession: Succession | null): Founding {
  return { kind: 'joining', clusterId: token.clusterId, clusterKey: token.key, token, succession };
}

async function bindCluster(folder: DataFolder, clusterId: string, clusterKey: Uint8Array): Promise<void> {
  await folder.writeSecret(CLUSTER_KEY, Buffer.from(clusterKey).toString('base64url'));
  await folder.bindCluster(clusterId);
}

/** @returns the members that a node knows before its log tells it any: those that let it in. Empty for a founder. */
export async function introduce(folder: DataFolder, founding: Founding, network: PeerNetwork): Promise<KnownMembers> {
  if (founding.kind !== 'joining') return readIntroduction(folder);
  const { id, secret, addresses } = founding.token;
  const { succession } = founding;
  const request = { token: id, secret, addresses: network.addresses(), version: VERSION, succession };
  const { members } = await join(network, addresses, request);
  await folder.writeSecret(INTRODUCTION, JSON.stringify([...members]));
  await bindCluster(folder, founding.clusterId, founding.clusterKey);
  await folder.removeSecret('rejoin.json');
  return members;
}

async function readIntroduction(folder: DataFolder): Promise<KnownMembers> {
  const text = await folder.readSecret(INTRODUCTION);
  return new Map(text === null ? [] : (JSON.parse(text) as [NodeId, string[]][]));
}

async function foundCluster(folder: DataFolder): Promise<Founding> {
  const clusterId = uuidv7();
  const clusterKey = createClusterKey();
  await bindCluster(folder, clusterId, clusterKey);
  return { kind: 'known', clusterId, clusterKey };
}

/** With an empty log: whoever was introduced to others joins them, whoever was not founds. */
export function initialConfiguration(self: NodeId, introduced: KnownMembers): Configuration {
  const voters = introduced.size === 0 ? [self] : [];
  return { voters, outgoing: [], learners: [], learnersNext: [] };
}

export interface CreatedTokens {
  readonly adminToken: string;
  readonly joinToken: string;
}

/**
 * Writes the first entry of a new cluster, with its first two tokens. Their text is in the data folder before the log
 * knows them, so a crash in between loses nothing: the next start proposes the same. Who has other members beside it
 * let them in with a token of the log, which has the first entry then, however far behind the state on disk is; the
 * other members may be down, so nothing is waited for.
 * @returns null when the cluster had its first entry already
 */
export async function createCluster(
  parts: {
    readonly folder: DataFolder;
    readonly replica: Replica;
    readonly network: PeerNetwork;
    readonly founding: Founding;
  },
  auth: 'required' | 'loopbackOpen',
): Promise<CreatedTokens | null> {
  const { folder, replica, network, founding } = parts;
  if (!isOnlyMember(replica.consensus.configuration, network.self)) return null;
  await replica.barrier();
  if (replica.state.cluster !== null) return null;
  const adminToken = await once(folder, ADMIN_TOKEN, () => formatToken(makeToken()));
  const joinToken = await once(folder, JOIN_TOKEN, () =>
    formatJoinToken(founding, network, makeToken(), Date.now() + FIRST_JOIN_TOKEN.ttlMs),
  );
  const admin = parseToken(adminToken);
  if (admin === null) throw new Rejection('invalidRequest', `${ADMIN_TOKEN} in the data folder is damaged`);
  const join = decodeJoinToken(joinToken);
  expectTaken(
    await replica.propose(SYSTEM, [
      { kind: 'createCluster', clusterId: founding.clusterId, auth },
      { kind: 'createToken', id: admin.id, hash: admin.hash, name: 'admin', scopes: ['admin'], expiresAt: null },
      {
        kind: 'createJoinToken',
        id: join.id,
        hash: hashSecret(join.secret),
        uses: FIRST_JOIN_TOKEN.uses,
        expiresAt: join.expiresAt,
      },
    ]),
  );
  return { adminToken, joinToken };
}

function isOnlyMember({ voters, outgoing, learners, learnersNext }: Configuration, self: NodeId): boolean {
  return [...voters, ...outgoing, ...learners, ...learnersNext].every((id) => id === self);
}

export function formatJoinToken(
  founding: Founding,
  network: PeerNetwork,
  token: { readonly id: JoinToken['id']; readonly secret: string },
  expiresAt: number,
): string {
  return encodeJoinToken({
    clusterId: founding.clusterId,
    key: founding.clusterKey,
    addresses: network.addresses(),
    id: token.id,
    secret: token.secret,
    expiresAt,
  });
}

async function once(folder: DataFolder, name: 'admin.token' | 'join.token', make: () => string): Promise<string> {
  const known = await folder.readSecret(name);
  if (known !== null) return known.trim();
  const made = make();
  await folder.writeSecret(name, made);
  return made;
}

function joinTokenOf(config: NodeConfig): JoinToken | null {
  const text = config.join.find((item) => item.startsWith('qj1_'));
  return text === undefined ? null : decodeJoinToken(text);
}
