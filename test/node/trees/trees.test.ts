import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { materialise } from '../../../node/trees/materialise.ts';
import { scanFolder, type ScanOptions } from '../../../node/trees/scan-folder.ts';
import { type FolderTree, treeOf } from '../../../node/trees/tree-of-folder.ts';
import { makeTempFolder } from '../../support/temp-folder.ts';

const never = new AbortController().signal;

async function tempFolder(): Promise<string> {
  const temp = await makeTempFolder('trees');
  onTestFinished(() => temp.remove());
  return temp.path;
}

/** Files by path; a path that ends with a slash is an empty folder. */
async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await tempFolder();
  for (const [path, content] of Object.entries(files)) {
    await mkdir(path.endsWith('/') ? join(folder, path) : dirname(join(folder, path)), { recursive: true });
    if (!path.endsWith('/')) await writeFile(join(folder, path), content);
  }
  return folder;
}

async function pathsIn(folder: string, options?: ScanOptions): Promise<readonly string[]> {
  const paths: string[] = [];
  for await (const { path, kind } of scanFolder(folder, options)) paths.push(kind === 'directory' ? `${path}/` : path);
  return paths;
}

function sourceOf(tree: Pick<FolderTree, 'directories' | 'files'>) {
  return {
    async read({ hash }: { readonly hash: string }): Promise<Uint8Array> {
      const found = tree.directories.get(hash);
      if (found === undefined) throw new Error(`no folder ${hash}`);
      return found.bytes;
    },
    async place({ hash }: { readonly hash: string }, kind: 'plain' | 'executable', path: string): Promise<void> {
      const found = tree.files.get(hash);
      if (found === undefined) throw new Error(`no file ${hash}`);
      await writeFile(path, await readFile(found.source), { mode: kind === 'plain' ? 0o444 : 0o555, flag: 'wx' });
    },
  };
}

describe('a folder that is made into a tree and back', () => {
  it('has the same files, links, empty folders and right to run', async () => {
    const folder = await folderOf({ 'a/one': '1', 'a/b/two': '2', 'empty/': '', 'run.sh': '#!/bin/sh\n', 'ü ñ': '' });
    await chmod(join(folder, 'run.sh'), 0o755);
    await symlink('a/one', join(folder, 'link'));
    await symlink('/nowhere/at/all', join(folder, 'a/dangling'));
    const tree = await treeOf(scanFolder(folder));
    expect(tree).toMatchObject({ entries: 9, bytes: 12 });
    const made = await tempFolder();
    await materialise([{ root: tree.root, at: '' }], made, sourceOf(tree), never);
    expect(await pathsIn(made)).toEqual(await pathsIn(folder));
    expect(await readFile(join(made, 'a/b/two'), 'utf8')).toBe('2');
    expect(await readlink(join(made, 'link'))).toBe('a/one');
    expect(await readlink(join(made, 'a/dangling'))).toBe('/nowhere/at/all');
    expect((await lstat(join(made, 'run.sh'))).mode & 0o777).toBe(0o555);
    expect((await lstat(join(made, 'a/one'))).mode & 0o777).toBe(0o444);
    await chmod(join(made, 'run.sh'), 0o755);
    for (const path of ['a/one', 'a/b/two', 'ü ñ']) await chmod(join(made, path), 0o644);
    expect((await treeOf(scanFolder(made))).root).toEqual(tree.root);
  });

  it('does not follow a link that takes the place of a folder', async () => {
    const outside = await folderOf({ secret: 'x' });
    const folder = await folderOf({ 'a/one': '1' });
    await symlink(outside, join(folder, 'out'));
    expect(await pathsIn(folder)).toEqual(['a/', 'a/one', 'out']);
  });

  it('keeps permission bits that are not the usual ones', async () => {
    const folder = await folderOf({ secret: 'x' });
    await chmod(join(folder, 'secret'), 0o600);
    const [only] = await Array.fromAsync(scanFolder(folder));
    expect(only).toMatchObject({ mode: 0o600, executable: false });
  });

  it('is refused with what no tree can hold', async () => {
    const folder = await folderOf({ one: '1' });
    const server = createServer().listen(join(folder, 'socket'));
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    await expect(treeOf(scanFolder(folder))).rejects.toMatchObject({
      code: 'invalidTree',
      message: /socket is a socket/,
    });
    const other = await tempFolder();
    execFileSync('mkfifo', [join(other, 'pipe')]);
    await expect(treeOf(scanFolder(other))).rejects.toMatchObject({
      message: expect.stringContaining('pipe is a pipe') as string,
    });
  });

  it('is refused with a name that is no UTF-8', async () => {
    const folder = await tempFolder();
    await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0x61])]), '');
    await expect(treeOf(scanFolder(folder))).rejects.toMatchObject({ code: 'invalidTree' });
  });

  it('is refused when a file changes while it is read', async () => {
    const folder = await folderOf({ one: '1', two: '2' });
    const growing = (async function* () {
      for await (const entry of scanFolder(folder)) {
        await writeFile(join(folder, 'two'), 'grown');
        yield entry;
        if (entry.path === 'one') await writeFile(join(folder, 'one'), 'grown');
      }
    })();
    await expect(treeOf(growing)).rejects.toMatchObject({ code: 'invalidTree', message: /changed while it was read/ });
  });

  it('is made no further once nobody wants it', async () => {
    const folder = await folderOf(Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`f${n}`, String(n)])));
    const tree = await treeOf(scanFolder(folder));
    const stop = new AbortController();
    const source = sourceOf(tree);
    let placed = 0;
    const place: typeof source.place = async (...given) => {
      placed += 1;
      if (placed === 20) stop.abort();
      await source.place(...given);
    };
    await expect(
      materialise([{ root: tree.root, at: '' }], await tempFolder(), { ...source, place }, stop.signal),
    ).rejects.toThrow('abort');
    expect(placed).toBeLessThan(60);
  });

  it('fails as a whole when one of its blobs is not there', async () => {
    const folder = await folderOf({ 'a/one': '1', 'a/two': '2' });
    const tree = await treeOf(scanFolder(folder));
    const [, lost] = [...tree.files.keys()];
    const without = { ...tree, files: new Map([...tree.files].filter(([hash]) => hash !== lost)) };
    await expect(
      materialise([{ root: tree.root, at: '' }], await tempFolder(), sourceOf(without), never),
    ).rejects.toThrow(`no file ${lost}`);
  });
});

describe('several trees in one folder', () => {
  async function treesIn(
    folders: readonly Readonly<Record<string, string>>[],
    links: readonly [string, string][] = [],
  ) {
    const made = await Promise.all(folders.map((files) => folderOf(files)));
    const [first] = made;
    if (first !== undefined) for (const [path, target] of links) await symlink(target, join(first, path));
    const trees = await Promise.all(made.map((folder) => treeOf(scanFolder(folder))));
    const all = {
      directories: new Map(trees.flatMap((tree) => [...tree.directories])),
      files: new Map(trees.flatMap((tree) => [...tree.files])),
    };
    return { roots: trees.map(({ root }) => root), source: sourceOf(all) };
  }

  it('lie beside each other, and below where each is to be', async () => {
    const { roots, source } = await treesIn([{ 'a/one': '1' }, { 'a/two': '2' }, { three: '3' }]);
    const made = await tempFolder();
    const at = ['', '', 'deep/below'];
    await materialise(
      roots.map((root, n) => ({ root, at: at[n] ?? '' })),
      made,
      source,
      never,
    );
    expect(await pathsIn(made)).toEqual(['a/', 'a/one', 'a/two', 'deep/', 'deep/below/', 'deep/below/three']);
  });

  it.each<[string, Readonly<Record<string, string>>[]]>([
    ['two files', [{ 'a/one': '1' }, { 'a/one': '2' }]],
    ['a file and a folder', [{ a: '1' }, { 'a/one': '2' }]],
    ['a folder and a file', [{ 'a/one': '2' }, { a: '1' }]],
  ])('may not have %s of one path', async (_what, folders) => {
    const { roots, source } = await treesIn(folders);
    const parts = roots.map((root) => ({ root, at: '' }));
    await expect(materialise(parts, await tempFolder(), source, never)).rejects.toMatchObject({ code: 'invalidTree' });
  });

  it('write nothing through a link of another one', async () => {
    const outside = await tempFolder();
    const { roots, source } = await treesIn([{ x: '' }, { 'out/planted': 'evil' }], [['out', outside]]);
    const parts = roots.map((root) => ({ root, at: '' }));
    await expect(materialise(parts, await tempFolder(), source, never)).rejects.toMatchObject({ code: 'invalidTree' });
    expect(await pathsIn(outside)).toEqual([]);
  });
});

describe('what git ignores', () => {
  it('is left out, by the files of each folder, with git itself as the judge', async () => {
    const files = {
      '.gitignore': '*.log\n/build\nnode_modules/\n!keep.log\ndoc/*.txt\n# comment\n\\#odd\n',
      'a.log': '',
      'keep.log': '',
      'build/out': '',
      'sub/build/in': '',
      'sub/.gitignore': '!special.log\n*.tmp\n',
      'sub/special.log': '',
      'sub/other.log': '',
      'sub/x.tmp': '',
      'x.tmp': '',
      'sub/node_modules/p/index.js': '',
      'doc/one.txt': '',
      'doc/deep/two.txt': '',
      '#odd': '',
      plain: '',
    };
    const folder = await folderOf(files);
    execFileSync('git', ['init', '-q', folder]);
    const listed = execFileSync('git', ['-C', folder, 'ls-files', '-co', '--exclude-standard', '-z'], {
      encoding: 'utf8',
    });
    const found = (await pathsIn(folder, { ignore: 'git' })).filter((path) => !path.endsWith('/'));
    expect(found).toEqual(listed.split('\0').filter(Boolean).sort());
    expect(found).toContain('sub/special.log');
    expect(found).not.toContain('build/out');
    expect(await pathsIn(folder)).toContain('build/out');
  });
});
