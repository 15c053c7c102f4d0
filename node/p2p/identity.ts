import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import { Fault } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';

const NODE_KEY = 'node.key';

/** Where the node's secrets lie: small texts, readable by the owner alone. */
export interface SecretFolder {
  /** Null when there is none. */
  readSecret(name: typeof NODE_KEY): Promise<string | null>;
  writeSecret(name: typeof NODE_KEY, text: string): Promise<void>;
}

/**
 * The node's key from its folder; the first start makes it. Only a file that is not there may lead to a new identity,
 * never one that cannot be read. @throws Fault `corrupt`
 */
export async function loadNodeKey(folder: SecretFolder): Promise<PrivateKey> {
  const stored = await folder.readSecret(NODE_KEY);
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

/** In base64url. */
export async function signAs(key: PrivateKey, text: string): Promise<string> {
  return Buffer.from(await key.sign(Buffer.from(text))).toString('base64url');
}

/** Whether the node with this id signed the text: an id holds its key. */
export async function isSignedBy(node: string, text: string, signature: string): Promise<boolean> {
  try {
    const { publicKey } = peerIdFromString(node);
    return publicKey !== undefined && (await publicKey.verify(Buffer.from(text), Buffer.from(signature, 'base64url')));
  } catch {
    return false;
  }
}
