import { Rejection } from '../errors.ts';

/** The hash functions that name blobs. The number is the byte on disk and on the wire; it is never given to another. */
export const DIGEST_FUNCTIONS = { sha256: { code: 1, hashBytes: 32 } } as const;

export type DigestFunction = keyof typeof DIGEST_FUNCTIONS;

/** What a blob is called: by which function, and the hash of its bytes in lower-case hex. */
export interface BlobName {
  readonly function: DigestFunction;
  readonly hash: string;
}

/** The name of a blob with how many bytes it has. */
export interface Digest extends BlobName {
  readonly size: number;
}

const HEX = /^[0-9a-f]*$/;

/** @throws Rejection `invalidRequest` when it is no hash of that function */
export function blobName(digestFunction: DigestFunction, hash: string): BlobName {
  if (isHash(digestFunction, hash)) return { function: digestFunction, hash };
  const digits = DIGEST_FUNCTIONS[digestFunction].hashBytes * 2;
  throw new Rejection('invalidRequest', `a hash by ${digestFunction} is ${digits} hexadecimal digits in lower case`);
}

export function isHash(digestFunction: DigestFunction, hash: string): boolean {
  return hash.length === DIGEST_FUNCTIONS[digestFunction].hashBytes * 2 && HEX.test(hash);
}

/** `sha256:HASH`, the same everywhere that a blob is named in a text. */
export function formatName({ function: digestFunction, hash }: BlobName): string {
  return `${digestFunction}:${hash}`;
}

/** `sha256:HASH/SIZE`. */
export function formatDigest(digest: Digest): string {
  return `${formatName(digest)}/${digest.size}`;
}

/** @throws Rejection `invalidRequest` */
export function parseName(text: string): BlobName {
  const [name = '', hash = '', ...rest] = text.split(':');
  if (!isFunction(name) || rest.length > 0) {
    throw new Rejection('invalidRequest', 'a blob is named FUNCTION:HASH, as sha256:… in lower-case hex');
  }
  return blobName(name, hash);
}

/** @throws Rejection `invalidRequest` */
export function parseDigest(text: string): Digest {
  const [name = '', digits = '', ...rest] = text.split('/');
  const size = /^\d{1,16}$/.test(digits) ? Number(digits) : Number.NaN;
  if (!Number.isSafeInteger(size) || rest.length > 0) {
    throw new Rejection('invalidRequest', 'a digest is FUNCTION:HASH/SIZE, with the size in bytes');
  }
  return { ...parseName(name), size };
}

function isFunction(name: string): name is DigestFunction {
  return Object.hasOwn(DIGEST_FUNCTIONS, name);
}
