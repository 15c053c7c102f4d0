import { z } from 'zod';
import { type BlobName, formatName, parseName } from '../../src/cas/digest.ts';
import { Rejection } from '../../src/errors.ts';
import { count, text } from '../message-shapes.ts';
import { decodeAnswer, decodeRequest, encodeVersioned } from '../versioned.ts';

/** Names that one question may hold. */
export const NAMES_MAX = 1024;
const PINS_MAX = 256;

const name = text.transform((written, context): BlobName => {
  try {
    return parseName(written);
  } catch (error) {
    context.addIssue(error instanceof Rejection ? error.message : 'no name of a blob');
    return z.NEVER;
  }
});
const pins = z
  .array(z.object({ owner: text, until: z.number().nullable() }))
  .max(PINS_MAX)
  .readonly();

/** What a member may ask another on a stream of the bulk network (docs/adr/0021-blobs.md). */
const request = z.discriminatedUnion('kind', [
  /** `end` is exclusive. The first chunk of the answer is the head, the others are the bytes. */
  z.object({ kind: z.literal('read'), name, start: count, end: count }),
  /** One chunk: a `Holding` for each. What is here then stays for so long. */
  z.object({ kind: z.literal('have'), names: z.array(name).max(NAMES_MAX).readonly(), keepMs: count }),
  /** To read it from the asker and keep it. Chunks tell how far it is, the last that it is durable. */
  z.object({ kind: z.literal('take'), name, size: count, pins }),
]);
export type BulkRequest = z.output<typeof request>;

const head = z.object({ size: count });
const holdings = z.object({ holdings: z.instanceof(Uint8Array) });
const progress = z.object({ state: z.enum(['underWay', 'durable']) });

/** `full`: not here, and there is no room for it. The numbers travel. */
export const HOLDINGS = ['none', 'here', 'full'] as const;
export type Holding = (typeof HOLDINGS)[number];

type Sent =
  | { readonly kind: 'read'; readonly name: BlobName; readonly start: number; readonly end: number }
  | { readonly kind: 'have'; readonly names: readonly BlobName[]; readonly keepMs: number }
  | {
      readonly kind: 'take';
      readonly name: BlobName;
      readonly size: number;
      readonly pins: readonly { readonly owner: string; readonly until: number | null }[];
    };

export function encodeBulk(message: Sent): Uint8Array {
  if (message.kind === 'have') return encodeVersioned({ ...message, names: message.names.map(formatName) });
  return encodeVersioned({ ...message, name: formatName(message.name) });
}

/** @throws as `decodeRequest` */
export function decodeBulk(bytes: Uint8Array): BulkRequest {
  return decodeRequest(request, bytes);
}

export function encodeHead(size: number): Uint8Array {
  return encodeVersioned({ size });
}

/** @throws as `decodeAnswer`, and so do the others */
export function decodeHead(bytes: Uint8Array): { readonly size: number } {
  return decodeAnswer(head, bytes);
}

export function encodeHoldings(found: readonly Holding[]): Uint8Array {
  return encodeVersioned({ holdings: Uint8Array.from(found, (holding) => HOLDINGS.indexOf(holding)) });
}

/** What is not understood counts as not there. */
export function decodeHoldings(bytes: Uint8Array): readonly Holding[] {
  const told = decodeAnswer(holdings, bytes).holdings;
  return Array.from(told, (number) => HOLDINGS[number] ?? 'none');
}

export function encodeProgress(state: 'underWay' | 'durable'): Uint8Array {
  return encodeVersioned({ state });
}

export function decodeProgress(bytes: Uint8Array): 'underWay' | 'durable' {
  return decodeAnswer(progress, bytes).state;
}
