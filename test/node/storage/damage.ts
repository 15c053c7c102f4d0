import fc from 'fast-check';

export type Damage =
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'zero'; readonly at: number; readonly length: number };

const where = fc.double({ min: 0, max: 0.9999, noNaN: true });

/** `at` is a part of the file's length. */
export const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('cut' as const), at: where }),
  fc.record({ kind: fc.constant('flip' as const), at: where, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('zero' as const), at: where, length: fc.integer({ min: 1, max: 9000 }) }),
);

export function damaged(bytes: Buffer, { at, ...what }: Damage): Buffer {
  const offset = Math.floor(at * bytes.length);
  switch (what.kind) {
    case 'cut':
      return bytes.subarray(0, offset);
    case 'flip':
      if (offset < bytes.length) bytes[offset] = bytes[offset]! ^ (1 << what.bit);
      return bytes;
    case 'zero':
      return bytes.fill(0, offset, Math.min(bytes.length, offset + what.length));
  }
}
