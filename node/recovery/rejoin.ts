import { copyFile, mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { PrivateKey } from '@libp2p/interface';
import { z } from 'zod';
import { Fault, Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import { createNodeKey, decodeNodeKey, encodeNodeKey, nodeIdOf, signAs } from '../p2p/identity.ts';
import { decodeJoinToken, type JoinToken } from '../p2p/join-token.ts';
import { type DataFolder, openNodeFolder } from '../storage/data-folder.ts';
import { syncFolder } from '../storage/durable-file.ts';
import { storageError } from '../storage/storage-error.ts';
import { type Succession, successionText } from './succession.ts';

/**
 * A node whose log must not be believed any more comes back under a new id. What it decided is written down first, in
 * `rejoin.json`, and goes when the cluster has let it in; every step behind that can be made again, so that no crash
 * leaves the old id with an empty log, which could vote a second time.
 */
const rejoiningSchema = z.strictObject({
  token: z.string(),
  /** The new key, as in `node.key`. */
  nodeKey: z.string(),
  /** Null: the old id cannot say so itself, and has to be removed by hand. */
  succession: z.strictObject({ former: z.string().transform((id) => id as NodeId), proof: z.string() }).nullable(),
  /** The folder, below the data folder, for what is set aside. */
  aside: z.string(),
});
type Rejoining = z.infer<typeof rejoiningSchema>;

export interface PreparedRejoin {
  /** Null when its key cannot be read: the cluster has to be told by hand. */
  readonly former: NodeId | null;
  readonly nodeId: NodeId;
  /** Holds what the node had before. */
  readonly aside: string;
}

/** Of the folder; everything that another node may not take for its own. */
const SET_ASIDE = ['log', 'state', 'introduction.json', 'removed.json'] as const;

/**
 * Prepares the folder of a node that does not run for a start as a new node of the same cluster. Nothing is deleted.
 * @throws Rejection `notFound`, `conflict`, `forbidden`, `wrongCluster`, `invalidRequest`, `tokenExpired`
 */
export async function prepareRejoin(dataDir: string, tokenText: string): Promise<PreparedRejoin> {
  const token = decodeJoinToken(tokenText);
  if (token.expiresAt <= Date.now()) throw new Rejection('tokenExpired', 'the join token has expired');
  const { folder } = await openNodeFolder(dataDir);
  try {
    await expectSameKey(folder, token);
    const before = await readRejoining(folder);
    const rejoining = before === null ? await decide(folder, token) : await decideAgain(folder, before, token);
    const text = tokenText.trim();
    await folder.writeSecret('rejoin.json', JSON.stringify({ ...rejoining, token: text } satisfies Rejoining));
    await finishRejoin(folder);
    const nodeId = nodeIdOf(decodeNodeKey(Buffer.from(rejoining.nodeKey, 'base64url')));
    return { former: rejoining.succession?.former ?? null, nodeId, aside: join(dataDir, rejoining.aside) };
  } finally {
    await folder.close();
  }
}

type Decision = Omit<Rejoining, 'token'>;

async function decide(folder: DataFolder, { clusterId }: JoinToken): Promise<Decision> {
  const former = await readFormerKey(folder);
  const key = await createNodeKey();
  return {
    nodeKey: Buffer.from(encodeNodeKey(key)).toString('base64url'),
    succession: former === null ? null : await succeed(former, clusterId, nodeIdOf(key)),
    aside: await freeName(folder.path),
  };
}

/** The token of the first time was of no use. The old key may be set aside already: what it signed still counts. */
async function decideAgain(folder: DataFolder, before: Rejoining, { clusterId }: JoinToken): Promise<Decision> {
  await finishRejoin(folder);
  const isSameCluster = decodeJoinToken(before.token).clusterId === clusterId;
  return { ...before, succession: isSameCluster ? before.succession : null };
}

export interface PendingRejoin {
  readonly token: JoinToken;
  readonly succession: Succession | null;
}

/** At a start: how the node is to join, null when it need not. What a crash left of the preparation is done. */
export async function pendingRejoin(folder: DataFolder): Promise<PendingRejoin | null> {
  const rejoining = await readRejoining(folder);
  if (rejoining === null) return null;
  await finishRejoin(folder);
  return { token: decodeJoinToken(rejoining.token), succession: rejoining.succession };
}

/** The new key comes last: with it everything is done, unless the token is now one of another cluster. */
async function finishRejoin(folder: DataFolder): Promise<void> {
  const rejoining = await readRejoining(folder);
  if (rejoining === null) return;
  const { clusterId } = decodeJoinToken(rejoining.token);
  if ((await folder.readSecret('node.key')) === rejoining.nodeKey) {
    if (folder.format.clusterId !== clusterId) await folder.rebind(clusterId, null);
    return;
  }
  await setAside(folder, rejoining);
  await folder.rebind(clusterId, null);
  await folder.writeSecret('node.key', rejoining.nodeKey);
}

async function setAside({ path }: DataFolder, rejoining: Rejoining): Promise<void> {
  try {
    const aside = join(path, rejoining.aside);
    await mkdir(aside, { recursive: true, mode: 0o700 });
    const present = new Set(await readdir(path));
    for (const name of SET_ASIDE) if (present.has(name)) await rename(join(path, name), join(aside, name));
    if (present.has('node.key')) await copyFile(join(path, 'node.key'), join(aside, 'node.key'));
    await syncFolder(aside);
    await syncFolder(path);
  } catch (error) {
    throw storageError(error, `setting the old log of ${path} aside`);
  }
}

/** A recovered cluster has another id and the same key. */
async function expectSameKey(folder: DataFolder, token: JoinToken): Promise<void> {
  const key = await folder.readSecret('cluster.key');
  if (key !== null && Buffer.from(key, 'base64url').equals(token.key)) return;
  throw new Rejection('wrongCluster', 'the data folder has another cluster key than the join token');
}

async function readFormerKey(folder: DataFolder): Promise<PrivateKey | null> {
  const text = await folder.readSecret('node.key');
  if (text === null) return null;
  try {
    return decodeNodeKey(Buffer.from(text.trim(), 'base64url'));
  } catch {
    return null;
  }
}

async function succeed(formerKey: PrivateKey, clusterId: string, successor: NodeId): Promise<Succession> {
  const former = nodeIdOf(formerKey);
  return { former, proof: await signAs(formerKey, successionText(clusterId, former, successor)) };
}

async function readRejoining(folder: DataFolder): Promise<Rejoining | null> {
  const text = await folder.readSecret('rejoin.json');
  if (text === null) return null;
  try {
    return rejoiningSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new Fault('corrupt', 'rejoin.json cannot be read: move the data folder away and join as a new node', {
      cause: error,
    });
  }
}

async function freeName(dataDir: string): Promise<string> {
  const names = new Set(await readdir(dataDir));
  for (let number = 1; ; number += 1) if (!names.has(`aside-${number}`)) return `aside-${number}`;
}
