import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { Fault, Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';

const NODE_KEY = 'node.key';

/** Where the node's secrets lie: small texts, readable by the owner alone. */
export interface SecretFolder {
  /** Rejects with `ENOENT` (as the error's code or its cause's) or Rejection `notFound` when there is none. */
  readSecret(name: string): Promise<string>;
  writeSecret(name: string, content: string): Promise<void>;
}

/** The node's key from its folder; the first start makes it. @throws Fault `corrupt` */
export async function loadNodeKey(folder: SecretFolder): Promise<PrivateKey> {
  const stored = await readOrNull(folder);
  if (stored !== null) return decodeNodeKey(Buffer.from(stored.trim(), 'base64url'));
  const key = await createNodeKey();
  await folder.writeSecret(NODE_KEY, Buffer.from(encodeNodeKey(key)).toString('base64url'));
  return key;
}

export async function createNodeKey(): Promise<PrivateKey> {
  return await generateKeyPair('Ed25519');
}

export function encodeNodeKey(key: PrivateKey): Uint8Array {
  return privateKeyToProtobuf(key);
}

/** @throws Fault `corrupt` */
export function decodeNodeKey(bytes: Uint8Array): PrivateKey {
  try {
    const key = privateKeyFromProtobuf(bytes);
    if (key.type === 'Ed25519') return key;
  } catch (error) {
    throw new Fault('corrupt', "the node's key cannot be read", { cause: error });
  }
  throw new Fault('corrupt', "the node's key is not an Ed25519 key");
}

export function nodeIdOf(key: PrivateKey): NodeId {
  return peerIdFromPrivateKey(key).toString() as NodeId;
}

/** Only a file that is not there may lead to a new identity, never one that cannot be read. */
async function readOrNull(folder: SecretFolder): Promise<string | null> {
  try {
    return await folder.readSecret(NODE_KEY);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  if (error instanceof Rejection) return error.code === 'notFound';
  if (!(error instanceof Error)) return false;
  if ('code' in error && error.code === 'ENOENT') return true;
  return isMissing(error.cause);
}
