import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Fault, Rejection } from '../../../src/errors.ts';
import { LIMITS } from '../../../src/limits.ts';
import { parseRange } from '../../../node/http/byte-range.ts';
import { FakeBlobs } from './fake-blobs.ts';
import { FakeCore } from './fake-core.ts';
import { responseTo, serve, told } from './serving.ts';

async function serveBlobs() {
  const blobs = new FakeBlobs();
  return { ...(await serve(new FakeCore(), { blobs })), blobs };
}

function pathOf(hash: string): string {
  return `/v1/blobs/sha256/${hash}`;
}

describe('PUT of a blob', () => {
  it('keeps the bytes as they come, of any type', async () => {
    const { open, blobs } = await serveBlobs();
    const bytes = randomBytes(300_000);
    const hash = new FakeBlobs().add(bytes);
    const call = open('PUT', pathOf(hash), { 'content-type': 'image/png' });
    const response = responseTo(call);
    call.write(bytes.subarray(0, 100_000));
    call.end(bytes.subarray(100_000));
    const answer = await told(await response);
    expect(answer.status).toBe(201);
    expect(answer.json()).toEqual({ hash, size: 300_000, copies: 1 });
    expect(blobs.stored.get(hash)).toEqual(bytes);
  });

  it('answers 200 when the bytes are here already', async () => {
    const { ask, blobs } = await serveBlobs();
    const answer = await ask('PUT', pathOf(blobs.add(Buffer.from('here'))), { body: 'here' });
    expect(answer.status).toBe(200);
  });

  it('answers 413 when more than the limit came', async () => {
    const blobs = new FakeBlobs();
    blobs.put = async () => {
      throw new Rejection('tooLarge', 'too much');
    };
    const { ask } = await serve(new FakeCore(), { blobs });
    expect((await ask('PUT', pathOf('a'.repeat(64)), { body: 'x' })).status).toBe(413);
  });

  it('takes the empty blob', async () => {
    const { ask, blobs } = await serveBlobs();
    const hash = new FakeBlobs().add(Buffer.alloc(0));
    expect((await ask('PUT', pathOf(hash), { body: '' })).status).toBe(201);
    expect(blobs.stored.has(hash)).toBe(true);
  });

  it('answers 422 to bytes with another hash', async () => {
    const { ask, blobs } = await serveBlobs();
    const answer = await ask('PUT', pathOf('a'.repeat(64)), { body: 'other' });
    expect(answer.problem()).toMatchObject({ status: 422, code: 'hashMismatch' });
    expect(blobs.stored.size).toBe(0);
  });

  it('answers 413 before a byte is read when too many are announced', async () => {
    const { open } = await serveBlobs();
    const call = open('PUT', pathOf('a'.repeat(64)), { 'content-length': String(LIMITS.blobBytes + 1) });
    call.on('error', () => undefined);
    const response = responseTo(call);
    call.flushHeaders();
    const answer = await told(await response);
    expect(answer.problem()).toMatchObject({ status: 413, limit: { name: 'blobBytes' } });
    call.destroy();
  });

  it.each(['A'.repeat(64), 'a'.repeat(63), 'g'.repeat(64), '..%2f..%2fetc%2fpasswd'])(
    'answers 400 to the hash %s',
    async (hash) => {
      const { ask } = await serveBlobs();
      for (const method of ['PUT', 'GET']) {
        expect((await ask(method, pathOf(hash))).problem()).toMatchObject({ status: 400, field: 'hash' });
      }
    },
  );
});

describe('GET of a blob', () => {
  it('gives the bytes to be saved, never to be shown', async () => {
    const { ask, blobs } = await serveBlobs();
    const bytes = Buffer.from('<script>alert(1)</script>');
    const answer = await ask('GET', pathOf(blobs.add(bytes)));
    expect(answer.bytes).toEqual(bytes);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
      'content-length': String(bytes.length),
      'x-content-type-options': 'nosniff',
    });
  });

  it.each([1, 3])('of %i pieces never arrives complete when the store finds it damaged', async (count) => {
    const blobs = new FakeBlobs();
    const hash = blobs.add(Buffer.alloc(count, 'x'));
    blobs.open = async () => ({
      size: count,
      stream: (async function* () {
        for (let sent = 0; sent < count; sent += 1) yield Buffer.from('x');
        // Long enough for what was sent to have left.
        await new Promise((resolve) => setTimeout(resolve, 50));
        throw new Fault('corrupt', 'damaged');
      })(),
    });
    const { ask, logged } = await serve(new FakeCore(), { blobs });
    await expect(ask('GET', pathOf(hash))).rejects.toThrow(/aborted|socket hang up/);
    expect(logged()).toContain('"code":"corrupt"');
  });

  it('gives one range with 206', async () => {
    const { ask, blobs } = await serveBlobs();
    const hash = blobs.add(Buffer.from('0123456789'));
    const answer = await ask('GET', pathOf(hash), { headers: { range: 'bytes=2-4' } });
    expect([answer.status, answer.text, answer.headers['content-range']]).toEqual([206, '234', 'bytes 2-4/10']);
    expect(answer.headers['content-length']).toBe('3');
  });

  it('answers 416 behind the end and tells the size', async () => {
    const { ask, blobs } = await serveBlobs();
    const hash = blobs.add(Buffer.from('0123456789'));
    const answer = await ask('GET', pathOf(hash), { headers: { range: 'bytes=10-' } });
    expect([answer.status, answer.headers['content-range']]).toEqual([416, 'bytes */10']);
    expect(answer.problem().code).toBe('rangeNotSatisfiable');
  });

  it('answers 404 to what is not there', async () => {
    const { ask } = await serveBlobs();
    expect((await ask('GET', pathOf('a'.repeat(64)))).problem()).toMatchObject({ status: 404, code: 'notFound' });
  });
});

describe('HEAD of a blob', () => {
  it('tells the size without the bytes, or 404', async () => {
    const { ask, blobs } = await serveBlobs();
    const answer = await ask('HEAD', pathOf(blobs.add(Buffer.from('0123456789'))));
    expect([answer.status, answer.headers['content-length'], answer.text]).toEqual([200, '10', '']);
    const missing = await ask('HEAD', pathOf('a'.repeat(64)));
    expect([missing.status, missing.text]).toEqual([404, '']);
  });
});

describe('a Range header', () => {
  it.each([
    [undefined, { kind: 'whole' }],
    ['bytes=0-0', { kind: 'part', start: 0, end: 0 }],
    ['bytes=5-', { kind: 'part', start: 5, end: 9 }],
    ['bytes=5-99', { kind: 'part', start: 5, end: 9 }],
    ['bytes=-3', { kind: 'part', start: 7, end: 9 }],
    ['bytes=-99', { kind: 'part', start: 0, end: 9 }],
    ['bytes=-0', { kind: 'unsatisfiable' }],
    ['bytes=10-', { kind: 'unsatisfiable' }],
    ['bytes=4-2', { kind: 'whole' }],
    ['bytes=-', { kind: 'whole' }],
    ['bytes=0-1,3-4', { kind: 'whole' }],
    ['lines=0-1', { kind: 'whole' }],
    ['bytes=a-b', { kind: 'whole' }],
  ])('of %s over ten bytes is %j', (header, wanted) => {
    expect(parseRange(header, 10)).toEqual(wanted);
  });

  it('over nothing cannot be satisfied', () => {
    expect(parseRange('bytes=0-', 0)).toEqual({ kind: 'unsatisfiable' });
    expect(parseRange('bytes=-1', 0)).toEqual({ kind: 'unsatisfiable' });
  });
});
