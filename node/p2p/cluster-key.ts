import { randomBytes } from 'node:crypto';
import { Rejection } from '../../src/errors.ts';

/** Bytes of the key that every node of a cluster holds. */
export const CLUSTER_KEY_BYTES = 32;

export function createClusterKey(): Uint8Array {
  return randomBytes(CLUSTER_KEY_BYTES);
}

/** The key as libp2p's pnet reads it. @throws Rejection `invalidRequest` */
export function formatSwarmKey(key: Uint8Array): Uint8Array {
  if (key.length !== CLUSTER_KEY_BYTES) {
    throw new Rejection('invalidRequest', `the cluster key has ${key.length} bytes, not ${CLUSTER_KEY_BYTES}`);
  }
  return Buffer.from(`/key/swarm/psk/1.0.0/\n/base16/\n${Buffer.from(key).toString('hex')}\n`);
}
