import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { findOutputs } from '../../../node/trees/find-outputs.ts';
import { treeOf } from '../../../node/trees/tree-of-folder.ts';
import { makeTempFolder, type TempFolder } from '../../support/temp-folder.ts';

let temp: TempFolder;
const work = (): string => join(temp.path, 'work');
const outputs = (): string => join(temp.path, 'outputs');

beforeEach(async () => {
  temp = await makeTempFolder('outputs');
  await mkdir(work());
  await mkdir(outputs());
});
afterEach(() => temp.remove());

async function write(...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(temp.path, path)), { recursive: true });
    await writeFile(join(temp.path, path), path);
  }
}

async function found(...patterns: readonly string[]): Promise<readonly string[]> {
  const entries = await Array.fromAsync(findOutputs({ work: work(), outputs: outputs(), patterns }));
  return entries.map(({ path, kind }) => (kind === 'directory' ? `${path}/` : path));
}

describe('the outputs of a job', () => {
  it('are nothing where nothing is named and nothing is left', async () => {
    await write('work/a');
    expect(await found()).toEqual([]);
  });

  it.each<[string, readonly string[]]>([
    ['dist', ['dist/', 'dist/.hidden', 'dist/a.js', 'dist/sub/', 'dist/sub/b.js']],
    ['./dist/', ['dist/', 'dist/.hidden', 'dist/a.js', 'dist/sub/', 'dist/sub/b.js']],
    ['dist/a.js', ['dist/a.js']],
    ['dist/*.js', ['dist/a.js']],
    ['dist/**/*.js', ['dist/a.js', 'dist/sub/b.js']],
    ['**/*.xml', ['reports/one.xml', 'top.xml']],
    ['*.xml', ['top.xml']],
    ['d*', ['dist/', 'dist/.hidden', 'dist/a.js', 'dist/sub/', 'dist/sub/b.js']],
    ['{reports,dist}/*.{xml,js}', ['dist/a.js', 'reports/one.xml']],
    ['what[is]this', ['what[is]this']],
    ['missing', []],
    ['missing/*.xml', []],
    ['top.xml/inside', []],
    [
      '.',
      [
        'dist/',
        'dist/.hidden',
        'dist/a.js',
        'dist/sub/',
        'dist/sub/b.js',
        'reports/',
        'reports/one.xml',
        'top.xml',
        'what[is]this',
      ],
    ],
  ])('are what the path or pattern names: %s', async (pattern, expected) => {
    await write('work/dist/a.js', 'work/dist/.hidden', 'work/dist/sub/b.js', 'work/reports/one.xml', 'work/top.xml');
    await write('work/what[is]this');
    expect(await found(pattern)).toEqual(expected);
  });

  it('are each there once, however often they are named', async () => {
    await write('work/dist/a', 'work/dist/b');
    expect(await found('dist/a', 'dist', 'dist/*')).toEqual(['dist/a', 'dist/', 'dist/b']);
  });

  it('are with them what lies in QUORATE_OUTPUTS', async () => {
    await write('work/dist/a', 'outputs/dist/b', 'outputs/c');
    expect(await found('dist')).toEqual(['dist/', 'dist/a', 'c', 'dist/b']);
  });

  it('cannot be two files of one path', async () => {
    await write('work/a', 'outputs/a');
    await expect(found('a')).rejects.toMatchObject({ code: 'invalidTree' });
  });

  it('are never behind a symbolic link: it is kept as a link, and hides what it leads to', async () => {
    await write('secret/key', 'secret/deep/key');
    await symlink('../secret', join(work(), 'out'));
    expect(await found('out')).toEqual(['out']);
    expect(await found('out/key', 'out/*', 'out/deep', 'out/deep/*')).toEqual([]);
    expect(await found('**/key')).toEqual([]);
    expect(await found('*')).toEqual(['out']);
  });

  it('fail where a thing is named that cannot be kept, and are no worse for one that is not', async () => {
    await write('work/a.txt');
    const server = createServer().listen(join(work(), 'socket'));
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    expect(await found('*.txt')).toEqual(['a.txt']);
    const all = findOutputs({ work: work(), outputs: outputs(), patterns: ['*'] });
    await expect(treeOf(all)).rejects.toMatchObject({ code: 'invalidTree', message: /socket is a socket/ });
  });

  it('are nothing of a folder that the job put a link in place of, or removed', async () => {
    await write('elsewhere/secret');
    for (const folder of [work(), outputs()]) {
      await rm(folder, { recursive: true });
      await symlink(join(temp.path, 'elsewhere'), folder);
    }
    expect(await found('.', '*', 'secret')).toEqual([]);
    for (const folder of [work(), outputs()]) await rm(folder);
    expect(await found('.', '*', 'secret')).toEqual([]);
  });
});
