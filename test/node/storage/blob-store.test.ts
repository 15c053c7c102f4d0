import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openBlobStore } from '../../../node/storage/blob-store.ts';
import { collect } from './state-builders.ts';
import { tempFolder } from './temp-folder.ts';

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function* chunksOf(bytes: Uint8Array, size = 1000) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await collect(stream)).toString();
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found.filter((file) => file.isFile()).map((file) => file.name);
}

const HELLO = Buffer.from('hello, '.repeat(20_000) + 'world');
const HELLO_HASH = hashOf(HELLO);

describe('a blob', () => {
  test('is there under its hash, whole and in parts, also after a restart', async () => {
    const folder = await tempFolder();
    const store = await openBlobStore(folder);
    expect(await store.stat(HELLO_HASH)).toBeNull();
    expect(await store.put(HELLO_HASH, chunksOf(HELLO))).toEqual({ size: HELLO.length, existed: false });
    const again = await openBlobStore(folder);
    expect(await again.stat(HELLO_HASH)).toEqual({ size: HELLO.length });
    const whole = await again.get(HELLO_HASH);
    expect(whole.size).toBe(HELLO.length);
    expect(await textOf(whole.stream)).toBe(HELLO.toString());
    const part = await again.get(HELLO_HASH, { start: HELLO.length - 5, end: HELLO.length + 100 });
    expect([part.size, await textOf(part.stream)]).toEqual([HELLO.length, 'world']);
    expect(await textOf((await again.get(HELLO_HASH, { start: 0, end: 5 })).stream)).toBe('hello');
    const name = join(folder, HELLO_HASH.slice(0, 2), HELLO_HASH.slice(2, 4), HELLO_HASH);
    expect(Buffer.compare(await readFile(name), HELLO)).toBe(0);
  });

  test('of no bytes is one too', async () => {
    const store = await openBlobStore(await tempFolder());
    const empty = hashOf(new Uint8Array(0));
    expect(await store.put(empty, chunksOf(new Uint8Array(0)))).toEqual({ size: 0, existed: false });
    expect(await textOf((await store.get(empty)).stream)).toBe('');
  });

  test('that is there already is checked and not written again', async () => {
    const folder = await tempFolder();
    const store = await openBlobStore(folder);
    await store.put(HELLO_HASH, chunksOf(HELLO));
    expect(await store.put(HELLO_HASH, chunksOf(HELLO))).toEqual({ size: HELLO.length, existed: true });
    const wrong = store.put(HELLO_HASH, chunksOf(Buffer.from('other')));
    await expect(wrong).rejects.toMatchObject({ code: 'hashMismatch' });
    expect(await textOf((await store.get(HELLO_HASH)).stream)).toBe(HELLO.toString());
  });

  test('is stored once when many store it at the same time, one of them wrongly', async () => {
    const folder = await tempFolder();
    const store = await openBlobStore(folder);
    const puts = Array.from({ length: 8 }, (_, at) => store.put(HELLO_HASH, chunksOf(HELLO, 500 + at)));
    const wrong = store.put(HELLO_HASH, chunksOf(HELLO.subarray(1)));
    await expect(wrong).rejects.toMatchObject({ code: 'hashMismatch' });
    await Promise.all(puts);
    expect(await filesIn(folder)).toEqual([HELLO_HASH]);
    expect(await textOf((await store.get(HELLO_HASH)).stream)).toBe(HELLO.toString());
  });

  test('that is not here is told', async () => {
    const store = await openBlobStore(await tempFolder());
    await expect(store.get(HELLO_HASH)).rejects.toMatchObject({ code: 'notFound' });
  });

  test('that the disk changed is told at its end, and can be stored again', async () => {
    const folder = await tempFolder();
    const store = await openBlobStore(folder);
    await store.put(HELLO_HASH, chunksOf(HELLO));
    const path = join(folder, HELLO_HASH.slice(0, 2), HELLO_HASH.slice(2, 4), HELLO_HASH);
    const bytes = await readFile(path);
    bytes[70_000]! ^= 1;
    await writeFile(path, bytes);
    const { stream } = await store.get(HELLO_HASH);
    await expect(collect(stream)).rejects.toMatchObject({ code: 'corrupt' });
    expect(await store.stat(HELLO_HASH)).toBeNull();
    expect((await store.put(HELLO_HASH, chunksOf(HELLO))).existed).toBe(false);
    expect(await textOf((await store.get(HELLO_HASH)).stream)).toBe(HELLO.toString());
  });
});

describe('nothing is left of', () => {
  test('bytes with another hash', async () => {
    const folder = await tempFolder();
    const store = await openBlobStore(folder);
    const put = store.put(HELLO_HASH, chunksOf(Buffer.from('not hello')));
    await expect(put).rejects.toMatchObject({ code: 'hashMismatch' });
    expect(await filesIn(folder)).toEqual([]);
    expect(await store.stat(HELLO_HASH)).toBeNull();
  });

  test('too many bytes, which are not read to their end', async () => {
    const folder = await tempFolder();
    const store = await openBlobStore(folder, { blobBytes: 5000 });
    let read = 0;
    async function* endless() {
      for (;;) yield Buffer.alloc(1000, read++);
    }
    await expect(store.put(HELLO_HASH, endless())).rejects.toMatchObject({
      code: 'tooLarge',
      details: { limit: { name: 'blobBytes', value: 5000 } },
    });
    expect(read).toBe(6);
    expect(await filesIn(folder)).toEqual([]);
    const exact = Buffer.alloc(5000, 1);
    expect((await store.put(hashOf(exact), chunksOf(exact))).size).toBe(5000);
  });

  test('a sender that breaks off', async () => {
    const folder = await tempFolder();
    const store = await openBlobStore(folder);
    async function* breakingOff() {
      yield HELLO.subarray(0, 5000);
      throw new Error('connection lost');
    }
    await expect(store.put(HELLO_HASH, breakingOff())).rejects.toThrow('connection lost');
    expect(await filesIn(folder)).toEqual([]);
  });

  test('a crash, once the store is opened again', async () => {
    const folder = await tempFolder();
    await mkdir(join(folder, 'incoming'), { recursive: true });
    await writeFile(join(folder, 'incoming', 'half'), 'half');
    await openBlobStore(folder);
    expect(await filesIn(folder)).toEqual([]);
  });
});

test.each(['', '../../etc/passwd', HELLO_HASH.toUpperCase(), `${HELLO_HASH}/`, `${HELLO_HASH}\n`, HELLO_HASH.slice(1)])(
  'the name %j is no hash and reaches no file',
  async (name) => {
    const store = await openBlobStore(await tempFolder());
    const refusal = { code: 'invalidRequest' };
    await expect(store.get(name)).rejects.toMatchObject(refusal);
    await expect(store.stat(name)).rejects.toMatchObject(refusal);
    await expect(store.put(name, chunksOf(HELLO))).rejects.toMatchObject(refusal);
  },
);

test.each([
  [5, 4],
  [-1, 4],
  [0.5, 4],
  [HELLO.length, HELLO.length + 1],
  [Number.NaN, 4],
])('a range from %d to %d is refused', async (start, end) => {
  const store = await openBlobStore(await tempFolder());
  await store.put(HELLO_HASH, chunksOf(HELLO));
  await expect(store.get(HELLO_HASH, { start, end })).rejects.toMatchObject({ code: 'invalidRequest' });
});
