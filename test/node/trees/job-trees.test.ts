import { hash } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BlobName, formatName, parseName } from '../../../src/cas/digest.ts';
import { Fault, Rejection } from '../../../src/errors.ts';
import { DiskJobTrees } from '../../../node/trees/job-trees.ts';
import type { TreeBlobs } from '../../../node/trees/port.ts';
import { makeTempFolder, type TempFolder } from '../../support/temp-folder.ts';

/** Blobs in memory that tell what was put, in order. */
class MemoryBlobs implements TreeBlobs {
  readonly stored = new Map<string, Uint8Array>();
  full = false;

  async put({ hash: name }: BlobName, bytes: Uint8Array): Promise<void> {
    if (this.full) throw new Fault('diskFull', 'no room');
    expect(hash('sha256', bytes)).toBe(name);
    this.stored.set(name, bytes);
  }

  async putFile(name: BlobName, from: string): Promise<void> {
    await this.put(name, await readFile(from));
  }

  async open({ hash: name }: BlobName) {
    const bytes = this.stored.get(name);
    if (bytes === undefined) throw new Rejection('notFound', 'no such blob');
    return {
      size: bytes.length,
      stream: (async function* () {
        yield bytes;
      })(),
    };
  }
}

let temp: TempFolder;
let blobs: MemoryBlobs;
let trees: DiskJobTrees;
const never = new AbortController().signal;
const path = (name: string): string => join(temp.path, name);

beforeEach(async () => {
  temp = await makeTempFolder('job-trees');
  blobs = new MemoryBlobs();
  trees = await DiskJobTrees.open(blobs, { filesFolder: path('files'), filesBytes: 1000 });
  for (const folder of ['work', 'outputs']) await mkdir(path(folder));
});
afterEach(() => temp.remove());

const keep = (...patterns: readonly string[]) => trees.keep({ work: path('work'), outputs: path('outputs'), patterns });
const rootOf = (kept: { readonly rootDigest: string } | null): BlobName => parseName(kept?.rootDigest ?? '');

describe('the files of jobs', () => {
  it('that one left are those that another finds', async () => {
    await mkdir(path('work/dist'));
    await writeFile(path('work/dist/a'), 'text');
    await writeFile(path('outputs/run'), '#!/bin/sh\n');
    await chmod(path('outputs/run'), 0o755);
    const kept = await keep('dist');
    expect(kept).toMatchObject({ entries: 3, bytes: 14 });
    await trees.materialise(
      [
        { root: rootOf(kept), at: '' },
        { root: rootOf(kept), at: 'again' },
      ],
      path('made'),
      never,
    );
    expect((await readdir(path('made'), { recursive: true })).sort()).toEqual(
      ['again', 'again/dist', 'again/dist/a', 'again/run', 'dist', 'dist/a', 'run'].sort(),
    );
    expect(await readFile(path('made/dist/a'), 'utf8')).toBe('text');
    expect((await lstat(path('made/run'))).mode & 0o111).toBe(0o111);
  });

  it('are nothing where nothing was left', async () => {
    expect(await keep('dist')).toBeNull();
    expect(blobs.stored.size).toBe(0);
  });

  it('are kept with each folder behind what it names', async () => {
    await mkdir(path('work/a'));
    await writeFile(path('work/a/b'), 'text');
    const kept = await keep('a');
    expect([...blobs.stored.keys()].at(-1)).toBe(rootOf(kept).hash);
    expect([...blobs.stored.keys()].at(0)).toBe(hash('sha256', 'text'));
  });

  it('are not kept in part: a full disk is told', async () => {
    await writeFile(path('work/a'), 'text');
    blobs.full = true;
    await expect(keep('a')).rejects.toMatchObject({ code: 'diskFull' });
  });

  it('leave no folder when a blob of them is nowhere', async () => {
    await writeFile(path('work/a'), 'text');
    await writeFile(path('work/b'), 'more');
    const kept = await keep('*');
    blobs.stored.delete(hash('sha256', 'more'));
    await expect(trees.materialise([{ root: rootOf(kept), at: '' }], path('made'), never)).rejects.toMatchObject({
      code: 'notFound',
      message: expect.stringContaining(hash('sha256', 'more')) as string,
    });
    expect(await readdir(temp.path)).not.toContain('made');
    await expect(
      trees.materialise([{ root: { function: 'sha256', hash: 'ab'.repeat(32) }, at: '' }], path('made'), never),
    ).rejects.toMatchObject({ code: 'notFound' });
  });

  it('are refused when a folder lies about the size of a file', async () => {
    await writeFile(path('work/a'), 'text');
    const kept = await keep('a');
    blobs.stored.set(hash('sha256', 'text'), Buffer.from('longer'));
    await expect(trees.materialise([{ root: rootOf(kept), at: '' }], path('made'), never)).rejects.toMatchObject({
      code: 'invalidTree',
    });
  });

  it('are refused when what is named as their root is no folder', async () => {
    const bytes = Buffer.from('not a folder');
    const root = { function: 'sha256', hash: hash('sha256', bytes) } as const;
    blobs.stored.set(root.hash, bytes);
    await expect(trees.materialise([{ root, at: '' }], path('made'), never)).rejects.toMatchObject({
      code: 'invalidTree',
    });
  });

  it('are never made where something is already', async () => {
    const kept = await (async () => {
      await writeFile(path('work/a'), 'text');
      return keep('a');
    })();
    await expect(trees.materialise([{ root: rootOf(kept), at: '' }], path('work'), never)).rejects.toMatchObject({
      code: 'EEXIST',
    });
    expect(await readFile(path('work/a'), 'utf8')).toBe('text');
    expect(formatName(rootOf(kept))).toBe(kept?.rootDigest);
  });
});
