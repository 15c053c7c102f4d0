import { z } from 'zod';
import { Rejection } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import { blobName, type Digest, formatName, parseName } from '../../src/cas/digest.ts';
import type { BlobStore } from '../blobs/port.ts';
import { readChunks } from './body.ts';
import { parseRange } from './byte-range.ts';
import { HttpError } from './problem.ts';
import { json, route } from './route.ts';
import type { Answer, Headers, Route } from './route.ts';
import { blobView } from './schemas.ts';

const path = '/v1/blobs/sha256/:hash';
const hashParams = z.strictObject({
  hash: z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in 64 digits of lower-case hex'),
});

/** What the routes need of the blobs. */
export type ServedBlobs = Pick<BlobStore, 'put' | 'open' | 'stat' | 'missing'>;

export function blobRoutes(blobs: ServedBlobs): readonly Route[] {
  return [
    putRoute(blobs),
    missingRoute(blobs),
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

function putRoute(blobs: ServedBlobs): Route {
  return route({
    method: 'PUT',
    path,
    scope: 'blobs:write',
    summary: 'Keep bytes under their hash',
    params: hashParams,
    body: { kind: 'stream', types: null, schema: null },
    responses: {
      201: { description: 'They are kept.', schema: blobView },
      200: { description: 'They were here already.', schema: blobView },
    },
    async handle({ params, headers, raw }) {
      const announced = headers['content-length'];
      checkAnnounced(Number(announced ?? 0));
      const request = announced === undefined ? {} : { size: Number(announced) };
      const { size, existed, copies } = await blobs.put(blobName('sha256', params.hash), readChunks(raw), request);
      return {
        kind: 'json',
        status: existed ? 200 : 201,
        body: { hash: params.hash, size, copies },
        headers: { location: `/v1/blobs/sha256/${params.hash}` },
      };
    },
  });
}

const missingBody = z.strictObject({
  names: z.array(z.string().max(LIMITS.nameLength)).max(LIMITS.blobNames).meta({ description: 'As `sha256:…`.' }),
});

function missingRoute(blobs: ServedBlobs): Route {
  return route({
    method: 'POST',
    path: '/v1/blobs/missing',
    scope: 'blobs:read',
    summary: 'Which of these blobs are nowhere; the others stay for a while longer',
    body: {
      kind: 'json',
      schema: missingBody,
      maxBytes: { name: 'bodyBytes', value: LIMITS.bodyBytes },
      types: 'orUntyped',
    },
    responses: {
      200: { description: 'Those that are to be put.', schema: z.object({ missing: z.array(z.string()) }) },
    },
    async handle({ body }) {
      const missing = await blobs.missing(body.names.map(parseName));
      return json({ missing: missing.map(formatName) });
    },
  });
}

/** Before a byte is read; the store counts what really comes. */
function checkAnnounced(bytes: number): void {
  if (bytes <= LIMITS.blobBytes) return;
  throw new Rejection('tooLarge', `a blob holds at most ${LIMITS.blobBytes} bytes`, {
    limit: { name: 'blobBytes', value: LIMITS.blobBytes },
  });
}

async function readBlob(blobs: ServedBlobs, hash: string, rangeHeader: string | undefined): Promise<Answer> {
  return bytesOf(blobs, { ...blobName('sha256', hash), ...(await expectBlob(blobs, hash)) }, rangeHeader);
}

/** All of a blob, or the range that is asked for. */
export async function bytesOf(
  blobs: Pick<ServedBlobs, 'open'>,
  { size, ...name }: Digest,
  rangeHeader: string | undefined,
): Promise<Answer> {
  const { hash } = name;
  const range = parseRange(rangeHeader, size);
  switch (range.kind) {
    case 'whole': {
      const { stream } = await blobs.open(name);
      const headers = { ...blobHeaders(hash), 'content-length': String(size) };
      return { kind: 'stream', status: 200, headers, pieces: withheld(stream) };
    }
    case 'part': {
      const { start, end } = range;
      const { stream } = await blobs.open(name, { start, end: end + 1 });
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

/** Holds the last piece back until the store has checked the whole, so that a damaged blob never arrives complete. */
async function* withheld(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let last: Uint8Array | null = null;
  for await (const piece of stream) {
    if (last !== null) yield last;
    last = piece;
  }
  if (last !== null) yield last;
}

async function expectBlob(blobs: ServedBlobs, hash: string): Promise<{ readonly size: number }> {
  const found = await blobs.stat(blobName('sha256', hash));
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
