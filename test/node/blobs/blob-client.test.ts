import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { BlobClient } from '../../../node/blobs/blob-client.ts';
import type { BulkSettings } from '../../../node/blobs/port.ts';
import { createClusterKey } from '../../../node/p2p/cluster-key.ts';
import { createNodeKey, encodeNodeKey, nodeIdOf } from '../../../node/p2p/identity.ts';
import { Fault } from '../../../src/errors.ts';
import { tempFolder } from '../storage/temp-folder.ts';
import { bytesOf, chunksOf, filesIn, nameOf, sample } from './support.ts';

const MIB = 1024 * 1024;

async function settings(): Promise<BulkSettings> {
  const key = await createNodeKey();
  return {
    self: nodeIdOf(key),
    privateKey: encodeNodeKey(key),
    clusterKey: createClusterKey(),
    clusterId: 'test-cluster',
    listen: { host: '127.0.0.1', port: 0 },
    advertise: [],
  };
}

async function start(folder: string): Promise<BlobClient> {
  const client = await BlobClient.start(
    {
      logger: pino({ level: 'silent' }),
      onFatal: (error) => {
        throw error;
      },
    },
    {
      folder,
      capacityBytes: 1024 * MIB,
      copies: 2,
      trees: { filesFolder: join(folder, 'inputs'), filesBytes: MIB },
      network: await settings(),
    },
  );
  onTestFinished(() => client.close());
  return client;
}

test('bytes go through the thread and back, whole and in parts, of any size', async () => {
  const blobs = await start(await tempFolder());
  for (const size of [0, 1, 256 * 1024, 5 * MIB + 17]) {
    const bytes = sample(size, size);
    const name = nameOf(bytes);
    expect(await blobs.stat(name)).toBeNull();
    expect(await blobs.put(name, chunksOf(bytes, 60_000), { size })).toMatchObject({ size, existed: false });
    expect(await blobs.stat(name)).toEqual({ size });
    expect((await bytesOf((await blobs.open(name)).stream)).equals(bytes)).toBe(true);
    const part = await blobs.open(name, { start: size >> 1, end: size });
    expect((await bytesOf(part.stream)).equals(bytes.subarray(size >> 1))).toBe(true);
  }
  expect(await blobs.figures()).toMatchObject({ blobs: 4, damaged: 0, evicted: 0 });
  const nowhere = nameOf(Buffer.from('nowhere'));
  expect(await blobs.missing([nameOf(sample(1, 1)), nowhere])).toEqual([nowhere]);
});

test('errors come through with their codes; those of the source as they were', async () => {
  const blobs = await start(await tempFolder());
  const name = nameOf(Buffer.from('something'));
  const wrong = blobs.put(name, chunksOf(Buffer.from('other')));
  await expect(wrong).rejects.toMatchObject({ name: 'Rejection', code: 'hashMismatch' });
  await expect(blobs.open(name)).rejects.toMatchObject({ code: 'notFound' });
  await expect(blobs.pin(name, [])).rejects.toMatchObject({ code: 'notFound' });
  const mine = new Fault('timedOut', 'the body stopped coming');
  async function* stalling() {
    yield Buffer.alloc(10);
    throw mine;
  }
  await expect(blobs.put(name, stalling())).rejects.toBe(mine);
});

test('a put that is refused leaves its source, though that never ends', async () => {
  const blobs = await start(await tempFolder());
  let left = false;
  async function* endless() {
    try {
      for (;;) yield Buffer.alloc(1000);
    } finally {
      left = true;
    }
  }
  const name = nameOf(Buffer.from('something'));
  const refused = blobs.put(name, endless(), { size: 2 * 1024 * MIB });
  await expect(refused).rejects.toMatchObject({ code: 'diskFull' });
  while (!left) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('a reader that goes away early, or never begins, holds nothing up', async () => {
  const blobs = await start(await tempFolder());
  const bytes = sample(1, 8 * MIB);
  await blobs.put(nameOf(bytes), chunksOf(bytes, MIB));
  await blobs.open(nameOf(bytes));
  for await (const chunk of (await blobs.open(nameOf(bytes))).stream) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  expect((await bytesOf((await blobs.open(nameOf(bytes))).stream)).equals(bytes)).toBe(true);
});

test('a damaged blob never ends in order, and its file is set aside', async () => {
  const folder = await tempFolder();
  const blobs = await start(folder);
  const bytes = sample(1, 2 * MIB);
  const name = nameOf(bytes);
  await blobs.put(name, chunksOf(bytes, MIB));
  const path = join(folder, 'sha256', name.hash.slice(0, 2), name.hash);
  const rotten = await readFile(path);
  rotten[MIB]! ^= 1;
  await writeFile(path, rotten);
  await expect(bytesOf((await blobs.open(name)).stream)).rejects.toMatchObject({ code: 'corrupt' });
  expect(await blobs.stat(name)).toBeNull();
  expect(await filesIn(folder)).toEqual([name.hash]);
  expect((await blobs.figures()).damaged).toBe(1);
});

test('a file is taken with its pins, which go with their owner', async () => {
  const folder = await tempFolder();
  const blobs = await start(join(folder, 'blobs'));
  const bytes = sample(1, 1000);
  await writeFile(join(folder, 'log'), bytes);
  await blobs.putFile(nameOf(bytes), join(folder, 'log'), { pins: [{ owner: 'job:1', until: null }] });
  expect((await bytesOf((await blobs.open(nameOf(bytes))).stream)).equals(bytes)).toBe(true);
  await blobs.release('job:1');
});

test('what is asked after the end is refused', async () => {
  const blobs = await start(await tempFolder());
  await blobs.close();
  await expect(blobs.stat(nameOf(sample(1, 1)))).rejects.toMatchObject({ code: 'stopping' });
});

test('a store that cannot be opened is told', async () => {
  const folder = await tempFolder();
  await writeFile(join(folder, 'file'), '');
  await expect(start(join(folder, 'file', 'blobs'))).rejects.toMatchObject({ name: 'Fault', code: 'diskFailed' });
});
