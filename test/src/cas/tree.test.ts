import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlobName, Digest } from '../../../src/cas/digest.ts';
import { EMPTY_DIRECTORY, encodeDirectory } from '../../../src/cas/directory.ts';
import { type BuiltTree, buildTree, type TreeEntry, walkTree } from '../../../src/cas/tree.ts';
import { LIMITS } from '../../../src/limits.ts';

function digestOf(bytes: Uint8Array): Digest {
  return { function: 'sha256', hash: hash('sha256', bytes), size: bytes.length };
}

const content = digestOf(Buffer.from('content'));
const file = (path: string): TreeEntry => ({ kind: 'file', path, digest: content, executable: false, mode: null });
const folder = (path: string): TreeEntry => ({ kind: 'directory', path });
const symlink = (path: string, target = 'x'): TreeEntry => ({ kind: 'symlink', path, target });

/** @param asked is told each folder that the walk reads */
async function walk(tree: BuiltTree, asked: string[] = []): Promise<readonly TreeEntry[]> {
  const read = async ({ hash: name }: BlobName): Promise<Uint8Array> => {
    asked.push(name);
    const found = tree.directories.get(name);
    if (found === undefined) throw new Error(`no folder ${name}`);
    return found.bytes;
  };
  return Array.fromAsync(walkTree(tree.root, read));
}

const byPath = (one: TreeEntry, other: TreeEntry): number => (one.path < other.path ? -1 : 1);

describe('a tree', () => {
  it('is walked as it was built, each folder before what it holds', async () => {
    const entries = [
      file('a/b/one'),
      folder('empty'),
      symlink('link', '../out'),
      file('top'),
      { ...file('a/run'), executable: true, mode: 0o700 } as TreeEntry,
    ];
    const walked = await walk(buildTree(entries, digestOf));
    expect(walked.toSorted(byPath)).toEqual([...entries, folder('a'), folder('a/b')].toSorted(byPath));
    for (const { path } of walked) {
      const parent = path.split('/').slice(0, -1).join('/');
      if (parent === '') continue;
      const paths = walked.map((entry) => entry.path);
      expect(paths.indexOf(parent)).toBeLessThan(paths.indexOf(path));
    }
  });

  it('of nothing is the empty folder', async () => {
    const tree = buildTree([], digestOf);
    expect(tree.root).toEqual(digestOf(new Uint8Array()));
    expect(await walk(tree)).toEqual([]);
  });

  it('has the same root in whatever order its entries come, and another for each change', () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-c]$/), { minLength: 1, maxLength: 3 });
    const paths = fc.uniqueArray(
      names.map((parts) => `${parts.join('/')}/f`),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(paths, fc.nat(5), (all, position) => {
        const tree = buildTree(all.map(file), digestOf);
        expect(buildTree(all.toReversed().map(file), digestOf)).toEqual(tree);
        const changed = all.map((path, at) => (at === position % all.length ? symlink(path) : file(path)));
        expect(buildTree(changed, digestOf).root.hash).not.toBe(tree.root.hash);
      }),
    );
  });

  it('holds equal folders once, and a walk asks for them once', async () => {
    const tree = buildTree([file('one/x/f'), file('two/x/f'), file('three/x/f')], digestOf);
    expect(tree.directories.size).toBe(3);
    const asked: string[] = [];
    expect(await walk(tree, asked)).toHaveLength(9);
    expect(asked).toHaveLength(3);
  });

  it.each([
    ['', 'no name'],
    ['/etc/passwd', 'an absolute path'],
    ['a/../b', 'a way up'],
    ['a//b', 'an empty part'],
    ['a/', 'an end without a name'],
    ['./a', 'itself'],
    ['a\0b', 'NUL'],
    [`a/${'n'.repeat(256)}`, 'a name that no file system takes'],
  ])('takes no path such as %j: %s', (path) => {
    expect(() => buildTree([file(path)], digestOf)).toThrow(expect.objectContaining({ code: 'invalidTree' }));
  });

  it.each<[string, TreeEntry[]]>([
    ['a file twice', [file('a'), file('a')]],
    ['a file and a link', [file('a'), symlink('a')]],
    ['a folder that is a file', [file('a'), file('a/b')]],
    ['a file that is a folder', [file('a/b'), symlink('a')]],
  ])('cannot have %s', (_what, entries) => {
    expect(() => buildTree(entries, digestOf)).toThrow(expect.objectContaining({ code: 'invalidTree' }));
  });

  it('is refused when it is too deep, too large or its paths are too long', () => {
    const tooLarge = (limit: string): unknown =>
      expect.objectContaining({ code: 'tooLarge', details: { limit: { name: limit, value: expect.any(Number) } } });
    const deep = Array.from({ length: LIMITS.treeDepth }, () => 'd').join('/');
    buildTree([file(deep)], digestOf);
    expect(() => buildTree([file(`${deep}/f`)], digestOf)).toThrow(tooLarge('treeDepth'));
    const long = Array.from({ length: 20 }, () => 'n'.repeat(250)).join('/');
    expect(() => buildTree([file(long)], digestOf)).toThrow(tooLarge('treePathBytes'));
    const many = (function* () {
      for (let n = 0; n <= LIMITS.treeEntries; n += 1) yield file(`f${n}`);
    })();
    expect(() => buildTree(many, digestOf)).toThrow(tooLarge('treeEntries'));
  });
});

describe('a walk of a hostile tree', () => {
  /** Each folder holds the one below it twice: 2^n paths in n blobs. */
  function doubling(levels: number): BuiltTree {
    const directories = new Map<string, { digest: Digest; bytes: Uint8Array<ArrayBuffer> }>();
    let root = content;
    for (let level = 0; level < levels; level += 1) {
      const names = level === 0 ? [] : ['a', 'b'];
      const bytes = encodeDirectory({
        ...EMPTY_DIRECTORY,
        directories: names.map((name) => ({ name, digest: root })),
      });
      root = digestOf(bytes);
      directories.set(root.hash, { digest: root, bytes });
    }
    return { root, directories };
  }

  it('ends at the limit where few blobs make endless paths', async () => {
    await expect(walk(doubling(60))).rejects.toMatchObject({
      code: 'tooLarge',
      details: { limit: { name: 'treeEntries' } },
    });
  });

  it('ends at the limit of its depth', async () => {
    const bytes: Uint8Array<ArrayBuffer>[] = [new Uint8Array()];
    for (let level = 0; level <= LIMITS.treeDepth; level += 1) {
      const digest = digestOf(bytes.at(-1) ?? new Uint8Array());
      bytes.push(encodeDirectory({ ...EMPTY_DIRECTORY, directories: [{ name: 'd', digest }] }));
    }
    const directories = new Map(bytes.map((each) => [digestOf(each).hash, { digest: digestOf(each), bytes: each }]));
    const tree = { root: digestOf(bytes.at(-1) ?? new Uint8Array()), directories };
    await expect(walk(tree)).rejects.toMatchObject({ code: 'tooLarge', details: { limit: { name: 'treeDepth' } } });
  });

  it('tells of a folder that is not there as who reads it does', async () => {
    const tree = buildTree([file('a/f')], digestOf);
    const [inner] = [...tree.directories.keys()].filter((name) => name !== tree.root.hash);
    const without = new Map([...tree.directories].filter(([name]) => name !== inner));
    await expect(walk({ ...tree, directories: without })).rejects.toThrow(`no folder ${inner}`);
  });
});
