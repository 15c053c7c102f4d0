import { type BlobName, DIGEST_FUNCTIONS, type DigestFunction } from '../../src/cas/digest.ts';

/**
 * Keys of the index (docs/adr/0021-blobs.md): a letter, then numbers in big endian, so that the order of the bytes is
 * theirs. A name is the code of its function and the bytes of its hash.
 */
export const LETTERS = { blob: 0x62, use: 0x75, pin: 0x70, owner: 0x6f, note: 0x6e } as const;

const USE_BYTES = 8;

export function nameBytes({ function: digestFunction, hash }: BlobName): Buffer {
  const { code, hashBytes } = DIGEST_FUNCTIONS[digestFunction];
  const bytes = Buffer.allocUnsafe(1 + hashBytes);
  bytes.writeUInt8(code, 0);
  bytes.write(hash, 1, 'hex');
  return bytes;
}

/** Null for a function that this program does not know, or too few bytes. */
export function readName(bytes: Uint8Array): BlobName | null {
  const found = FUNCTION_OF.get(bytes[0] ?? 0);
  if (found === undefined) return null;
  const { hashBytes } = DIGEST_FUNCTIONS[found];
  if (bytes.length < 1 + hashBytes) return null;
  const hash = Buffer.from(bytes.buffer, bytes.byteOffset + 1, hashBytes).toString('hex');
  return { function: found, hash };
}

const FUNCTION_OF: ReadonlyMap<number, DigestFunction> = new Map(
  Object.entries(DIGEST_FUNCTIONS).map(([name, { code }]) => [code, name as DigestFunction]),
);

export function blobKey(name: BlobName): Buffer {
  return Buffer.concat([Buffer.of(LETTERS.blob), nameBytes(name)]);
}

/** What the keys of the blobs begin with whose hash begins so. @param digits an even number of hex digits */
export function blobsOf(digestFunction: DigestFunction, digits: string): Buffer {
  return Buffer.concat([Buffer.of(LETTERS.blob, DIGEST_FUNCTIONS[digestFunction].code), Buffer.from(digits, 'hex')]);
}

/** The blobs in the order of their last use. @param lastUse milliseconds of the epoch */
export function useKey(name: BlobName, lastUse: number): Buffer {
  const head = Buffer.allocUnsafe(1 + USE_BYTES);
  head.writeUInt8(LETTERS.use, 0);
  head.writeBigUInt64BE(BigInt(lastUse), 1);
  return Buffer.concat([head, nameBytes(name)]);
}

/** @returns the name in a key of `useKey`, and the time */
export function readUseKey(key: Uint8Array): { readonly name: BlobName; readonly lastUse: number } | null {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  const name = bytes.length < 1 + USE_BYTES ? null : readName(bytes.subarray(1 + USE_BYTES));
  return name === null ? null : { name, lastUse: Number(bytes.readBigUInt64BE(1)) };
}

export function pinKey(name: BlobName, owner: string): Buffer {
  return Buffer.concat([pinsOf(name), Buffer.from(owner)]);
}

/** What all pins of a blob begin with. */
export function pinsOf(name: BlobName): Buffer {
  return Buffer.concat([Buffer.of(LETTERS.pin), nameBytes(name)]);
}

/** What stands behind `pinsOf`. */
export function readOwner(key: Uint8Array, name: BlobName): string {
  return Buffer.from(key).toString('utf8', pinsOf(name).length);
}

export function ownerKey(owner: string, name: BlobName): Buffer {
  return Buffer.concat([blobsOfOwner(owner), nameBytes(name)]);
}

export function blobsOfOwner(owner: string): Buffer {
  return Buffer.concat([Buffer.of(LETTERS.owner), Buffer.from(owner), Buffer.of(0)]);
}

export function noteKey(name: string): Buffer {
  return Buffer.concat([Buffer.of(LETTERS.note), Buffer.from(name)]);
}

/** The first key behind all that begin so. */
export function endOf(prefix: Uint8Array): Buffer {
  const end = Buffer.from(prefix);
  for (let at = end.length - 1; at >= 0; at -= 1) {
    const byte = end[at] ?? 0;
    if (byte < 0xff) {
      end[at] = byte + 1;
      return end.subarray(0, at + 1);
    }
  }
  return Buffer.from([0xff]);
}
