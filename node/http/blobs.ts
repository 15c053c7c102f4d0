import { z } from 'zod';
import { Rejection } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import { readChunks } from './body.ts';
import { parseRange } from './byte-range.ts';
import { HttpError } from './problem.ts';
import { route } from './route.ts';
import type { Answer, Headers, Route } from './route.ts';
import { blobView } from './schemas.ts';

/** What the edge needs of the blob store; a hash is SHA-256 in 64 digits of lower-case hex. */
export interface BlobPort {
  /** Keeps the bytes if they have that hash. @throws Rejection `hashMismatch`; Fault `diskFull`, `diskFailed` */
  put(hash: string, bytes: AsyncIterable<Uint8Array>): Promise<{ readonly size: number }>;
  stat(hash: string): Promise<{ readonly size: number } | null>;
  /** @param range `end` is the last byte. @throws Rejection `notFound` */
  get(
    hash: string,
    range?: { readonly start: number; readonly end: number },
  ): Promise<{ readonly stream: AsyncIterable<Uint8Array> }>;
}

const path = '/v1/blobs/sha256/:hash';
const hashParams = z.strictObject({
  hash: z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in 64 digits of lower-case hex'),
});

export function blobRoutes(blobs: BlobPort): readonly Route[] {
  return [
    putRoute(blobs),
    route({
      method: 'GET',
      path,
      scope: 'blobs:read',
      summary: 'Read bytes by their hash, all or one range',
      params: hashParams,
      headers: z.object({ range: z.string().optional() }),
      responses: {
        200: { description: 'The bytes.', mediaType: 'application/octet-stream' },
        206: { description: 'The range.', mediaType: 'application/octet-stream' },
      },
      handle: async ({ params, headers }) => await readBlob(blobs, params.hash, headers.range),
    }),
    route({
      method: 'HEAD',
      path,
      scope: 'blobs:read',
      summary: 'Whether the bytes are here, and how many',
      params: hashParams,
      responses: { 200: { description: 'They are.' } },
      async handle({ params }) {
        const { size } = await expectBlob(blobs, params.hash);
        return { kind: 'empty', status: 200, headers: { ...blobHeaders(params.hash), 'content-length': String(size) } };
      },
    }),
  ];
}

function putRoute(blobs: BlobPort): Route {
  return route({
    method: 'PUT',
    path,
    scope: 'blobs:write',
    summary: 'Keep bytes under their hash',
    params: hashParams,
    body: { kind: 'stream', types: null, schema: null },
    responses: { 201: { description: 'They are kept.', schema: blobView } },
    async handle({ params, headers, raw }) {
      if (Number(headers['content-length'] ?? 0) > LIMITS.blobBytes) throw blobTooLarge();
      const { size } = await blobs.put(params.hash, limited(readChunks(raw)));
      return {
        kind: 'json',
        status: 201,
        body: { hash: params.hash, size },
        headers: { location: `/v1/blobs/sha256/${params.hash}` },
      };
    },
  });
}

async function* limited(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > LIMITS.blobBytes) throw blobTooLarge();
    yield chunk;
  }
}

function blobTooLarge(): Rejection {
  return new Rejection('tooLarge', `a blob holds at most ${LIMITS.blobBytes} bytes`, {
    limit: { name: 'blobBytes', value: LIMITS.blobBytes },
  });
}

async function readBlob(blobs: BlobPort, hash: string, rangeHeader: string | undefined): Promise<Answer> {
  const { size } = await expectBlob(blobs, hash);
  const range = parseRange(rangeHeader, size);
  switch (range.kind) {
    case 'whole': {
      const { stream } = await blobs.get(hash);
      const headers = { ...blobHeaders(hash), 'content-length': String(size) };
      return { kind: 'stream', status: 200, headers, pieces: stream };
    }
    case 'part': {
      const { start, end } = range;
      const { stream } = await blobs.get(hash, { start, end });
      const headers = {
        ...blobHeaders(hash),
        'content-length': String(end - start + 1),
        'content-range': `bytes ${start}-${end}/${size}`,
      };
      return { kind: 'stream', status: 206, headers, pieces: stream };
    }
    case 'unsatisfiable':
      throw new HttpError('rangeNotSatisfiable', `the blob has ${size} bytes`, { 'content-range': `bytes */${size}` });
  }
}

async function expectBlob(blobs: BlobPort, hash: string): Promise<{ readonly size: number }> {
  const found = await blobs.stat(hash);
  if (found === null) throw new Rejection('notFound', 'there is no such blob');
  return found;
}

/** Untrusted bytes: a browser may only save them. */
function blobHeaders(hash: string): Headers {
  return {
    'content-type': 'application/octet-stream',
    'content-disposition': 'attachment',
    'accept-ranges': 'bytes',
    etag: `"sha256:${hash}"`,
  };
}
