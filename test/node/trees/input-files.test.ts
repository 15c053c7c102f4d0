import { chmod, link, lstat, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../../src/cas/digest.ts';
import { InputFiles } from '../../../node/trees/input-files.ts';
import { digestOf } from '../../../node/trees/tree-of-folder.ts';
import { makeTempFolder, type TempFolder } from '../../support/temp-folder.ts';

let temp: TempFolder;
let written: string[];
const blobs = new Map<string, string>();

beforeEach(async () => {
  temp = await makeTempFolder('input-files');
  written = [];
});
afterEach(() => temp.remove());

function blob(text: string): Digest {
  const digest = digestOf(Buffer.from(text));
  blobs.set(digest.hash, text);
  return digest;
}

async function write({ hash }: Digest, path: string): Promise<void> {
  const text = blobs.get(hash);
  if (text === undefined) throw new Error('no such blob');
  written.push(text);
  await writeFile(path, text, { flag: 'wx' });
}

function open(maxBytes = 1000): Promise<InputFiles> {
  return InputFiles.open(join(temp.path, 'files'), write, { maxBytes });
}

let count = 0;
async function place(files: InputFiles, text: string, kind: 'plain' | 'executable' = 'plain'): Promise<string> {
  count += 1;
  const path = join(temp.path, `job-${count}`);
  await files.place(blob(text), kind, path);
  return path;
}

async function kept(): Promise<readonly string[]> {
  return (await readdir(join(temp.path, 'files'), { recursive: true })).filter((name) => name.includes('/'));
}

describe('the files of inputs', () => {
  it('are written once and linked for each job', async () => {
    const files = await open();
    const [one, other] = [await place(files, 'text'), await place(files, 'text')];
    expect(written).toEqual(['text']);
    expect(await readFile(other, 'utf8')).toBe('text');
    expect((await lstat(one)).ino).toBe((await lstat(other)).ino);
    expect((await lstat(one)).mode & 0o777).toBe(0o444);
  });

  it('are kept apart by the right to run', async () => {
    const files = await open();
    const [plain, runs] = [await place(files, 'text'), await place(files, 'text', 'executable')];
    expect((await lstat(runs)).mode & 0o777).toBe(0o555);
    expect((await lstat(plain)).mode & 0o777).toBe(0o444);
    expect(files.bytes).toBe(8);
  });

  it('are written once when many ask for them at the same time', async () => {
    const files = await open();
    await Promise.all(Array.from({ length: 20 }, () => place(files, 'text')));
    expect(written).toEqual(['text']);
  });

  it.each<[string, (path: string) => Promise<void>]>([
    ['its bytes', async (path) => writeFile(path, 'evil')],
    ['its size', async (path) => writeFile(path, 'longer', { flag: 'a' })],
    ['its time', async (path) => utimes(path, 5, 5)],
  ])('are made anew when a job changed %s', async (_what, change) => {
    const files = await open();
    const path = await place(files, 'text');
    await chmod(path, 0o644);
    await change(path);
    expect(await readFile(await place(files, 'text'), 'utf8')).toBe('text');
    expect(written).toEqual(['text', 'text']);
  });

  it('go when they are too many, those unused for longest first, and what is in use stays with its job', async () => {
    const files = await open(8);
    const first = await place(files, 'one!');
    await place(files, 'two!');
    await place(files, 'one!');
    await place(files, 'six!');
    expect(files.bytes).toBe(8);
    expect(await kept()).toHaveLength(2);
    await place(files, 'one!');
    expect(written).toEqual(['one!', 'two!', 'six!']);
    expect(await readFile(first, 'utf8')).toBe('one!');
  });

  it('may be larger than all that is kept together', async () => {
    const files = await open(3);
    expect(await readFile(await place(files, 'text'), 'utf8')).toBe('text');
    await place(files, 'more');
    expect(files.bytes).toBe(4);
  });

  it('are found again by the next process, but for those that were not finished', async () => {
    await place(await open(), 'text');
    const [name = ''] = await kept();
    await writeFile(join(temp.path, 'files', `${name}.1.part`), 'te');
    const files = await open();
    expect(files.bytes).toBe(4);
    await place(files, 'text');
    expect(written).toEqual(['text']);
    expect(await kept()).toHaveLength(1);
  });

  it('leave nothing behind when the blob cannot be had, and come once it can', async () => {
    const files = await open();
    const digest = digestOf(Buffer.from('later'));
    await expect(files.place(digest, 'plain', join(temp.path, 'x'))).rejects.toThrow('no such blob');
    expect(await kept()).toEqual([]);
    expect(await readFile(await place(files, 'later'), 'utf8')).toBe('later');
  });

  it('are never put over what is there already', async () => {
    const files = await open();
    const path = await place(files, 'text');
    await expect(files.place(blob('other'), 'plain', path)).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await readFile(path, 'utf8')).toBe('text');
  });

  it('are copied where the file system takes no more links', async () => {
    const files = await open();
    const path = await place(files, 'text');
    let links = 0;
    try {
      for (; links < 70_000; links += 1) await link(path, join(temp.path, `l${links}`));
    } catch (error) {
      expect(error).toMatchObject({ code: 'EMLINK' });
      const copy = await place(files, 'text');
      expect(await readFile(copy, 'utf8')).toBe('text');
      expect((await lstat(copy)).nlink).toBe(1);
    }
  }, 120_000);
});
