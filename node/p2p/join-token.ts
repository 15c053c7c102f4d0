import { createHash } from 'node:crypto';
import { pack, unpack } from 'msgpackr';
import { z } from 'zod';
import { Rejection } from '../../src/errors.ts';
import type { TokenId } from '../../src/ids.ts';
import { parseAddress } from './addresses.ts';
import { CLUSTER_KEY_BYTES } from './cluster-key.ts';

/** What a new node needs to find a cluster, to speak with it and to be let in. It holds the cluster's key. */
export interface JoinToken {
  readonly clusterId: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** Multiaddrs or HOST:PORT. */
  readonly addresses: readonly string[];
  readonly id: TokenId;
  readonly secret: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export const JOIN_TOKEN_PREFIX = 'qj1_';
const VERSION = 1;
const CHECKSUM_BYTES = 6;
/** Characters of a join token. */
const TOKEN_LENGTH_MAX = 16 * 1024;
const ADDRESSES_MAX = 64;
const BASE64URL = /^[A-Za-z0-9_-]*$/;

const bodySchema = z.object({
  clusterId: z.string().min(1).max(256),
  key: z.instanceof(Uint8Array).refine((key) => key.length === CLUSTER_KEY_BYTES),
  addresses: z.array(z.string().min(1).max(512)).max(ADDRESSES_MAX),
  id: z.string().min(1).max(256),
  secret: z.string().min(1).max(1024),
  expiresAt: z.number().int().nonnegative(),
});

/** `qj1_` + base64url of a checksum and a msgpack map. */
export function encodeJoinToken(token: JoinToken): string {
  const { clusterId, key, addresses, id, secret, expiresAt } = token;
  const body = pack({ v: VERSION, clusterId, key: Buffer.from(key), addresses, id, secret, expiresAt });
  return JOIN_TOKEN_PREFIX + Buffer.concat([checksum(body), body]).toString('base64url');
}

/** @throws Rejection `invalidRequest` when it is cut short or mistyped, `wrongVersion` */
export function decodeJoinToken(text: string): JoinToken {
  const trimmed = text.trim();
  if (!trimmed.startsWith(JOIN_TOKEN_PREFIX)) {
    throw new Rejection('invalidRequest', `a join token begins with ${JOIN_TOKEN_PREFIX}`);
  }
  const payload = trimmed.slice(JOIN_TOKEN_PREFIX.length);
  if (payload.length > TOKEN_LENGTH_MAX || !BASE64URL.test(payload)) throw damaged();
  const bytes = Buffer.from(payload, 'base64url');
  // Several texts decode to the same bytes; only the one that was made is taken.
  if (bytes.toString('base64url') !== payload) throw damaged();
  const body = bytes.subarray(CHECKSUM_BYTES);
  if (body.length === 0 || !checksum(body).equals(bytes.subarray(0, CHECKSUM_BYTES))) throw damaged();
  return readBody(body);
}

function readBody(body: Uint8Array): JoinToken {
  let content: unknown;
  try {
    content = unpack(body);
  } catch {
    throw damaged();
  }
  if (typeof content !== 'object' || content === null || !('v' in content)) throw damaged();
  if (content.v !== VERSION) {
    throw new Rejection('wrongVersion', 'the join token was made by another version of this program');
  }
  const parsed = bodySchema.safeParse(content);
  if (!parsed.success) throw damaged();
  for (const address of parsed.data.addresses) parseAddress(address);
  return { ...parsed.data, id: parsed.data.id as TokenId };
}

function checksum(body: Uint8Array): Buffer {
  return createHash('sha256').update(body).digest().subarray(0, CHECKSUM_BYTES);
}

function damaged(): Rejection {
  return new Rejection('invalidRequest', 'the join token is damaged or incomplete: copy the whole of it');
}
