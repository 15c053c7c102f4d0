import { createHash } from 'node:crypto';
import { Rejection } from '../../../src/errors.ts';
import type { PutResult } from '../../../node/blobs/port.ts';
import type { ServedBlobs } from '../../../node/http/blobs.ts';
import type { BlobName } from '../../../src/cas/digest.ts';

/** Blobs in memory. */
export class FakeBlobs implements ServedBlobs {
  readonly stored = new Map<string, Buffer>();

  add(bytes: Buffer): string {
    const hash = createHash('sha256').update(bytes).digest('hex');
    this.stored.set(hash, bytes);
    return hash;
  }

  async put({ hash }: BlobName, bytes: AsyncIterable<Uint8Array>): Promise<PutResult> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytes) chunks.push(chunk);
    const whole = Buffer.concat(chunks);
    if (createHash('sha256').update(whole).digest('hex') !== hash) {
      throw new Rejection('hashMismatch', 'the bytes have another hash');
    }
    const existed = this.stored.has(hash);
    this.stored.set(hash, whole);
    return { size: whole.length, existed, copies: 1 };
  }

  async missing(names: readonly BlobName[]): Promise<readonly BlobName[]> {
    return names.filter(({ hash }) => !this.stored.has(hash));
  }

  async stat({ hash }: BlobName): Promise<{ readonly size: number } | null> {
    const found = this.stored.get(hash);
    return found === undefined ? null : { size: found.length };
  }

  async open({ hash }: BlobName, range?: { readonly start: number; readonly end: number }) {
    const found = this.stored.get(hash);
    if (found === undefined) throw new Rejection('notFound', 'there is no such blob');
    const part = range === undefined ? found : found.subarray(range.start, range.end);
    return {
      size: found.length,
      stream: (async function* () {
        yield part;
      })(),
    };
  }
}
