import { createHash, timingSafeEqual } from 'node:crypto';
import type { BlobName, DigestFunction } from '../../src/cas/digest.ts';

/** Takes the bytes of a blob as they come. */
export interface BlobHash {
  update(bytes: Uint8Array): void;
  /** Ends it: whether all that came has that name. */
  isOf(name: BlobName): boolean;
}

export function blobHash(digestFunction: DigestFunction): BlobHash {
  const hasher = createHash(NAMES_IN_OPENSSL[digestFunction]);
  return {
    update: (bytes) => void hasher.update(bytes),
    isOf: ({ hash }) => timingSafeEqual(hasher.digest(), Buffer.from(hash, 'hex')),
  };
}

const NAMES_IN_OPENSSL: Readonly<Record<DigestFunction, string>> = { sha256: 'sha256' };
