import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../../src/cas/digest.ts';
import {
  checkName,
  compareNames,
  decodeDirectory,
  type Directory,
  EMPTY_DIRECTORY,
  encodeDirectory,
} from '../../../src/cas/directory.ts';

const HASH = 'ab'.repeat(32);
const digest: Digest = { function: 'sha256', hash: HASH, size: 300 };
const HASH_BYTES = '6162'.repeat(32);
const INVALID: unknown = expect.objectContaining({ code: 'invalidTree' });

const file = (name: string, changes: Partial<Directory['files'][number]> = {}) => ({
  name,
  digest,
  executable: false,
  mode: null,
  ...changes,
});

function hexOf(directory: Partial<Directory>): string {
  return encodeDirectory({ ...EMPTY_DIRECTORY, ...directory }).toHex();
}

function decodeHex(hex: string): Directory {
  return decodeDirectory(Uint8Array.fromHex(hex), 'sha256');
}

describe('the bytes of a folder', () => {
  it('are none for one that holds nothing', () => {
    expect(hexOf({})).toBe('');
    expect(decodeHex('')).toEqual(EMPTY_DIRECTORY);
  });

  it.each<[string, Partial<Directory>, string]>([
    ['a file', { files: [file('a')] }, `0a4a0a01611245${'0a40'}${HASH_BYTES}10ac02`],
    ['one that runs', { files: [file('a', { executable: true })] }, `0a4c0a01611245${'0a40'}${HASH_BYTES}10ac022001`],
    [
      'one without bytes',
      { files: [file('a', { digest: { ...digest, size: 0 } })] },
      `0a470a01611242${'0a40'}${HASH_BYTES}`,
    ],
    [
      'one with a mode of its own',
      { files: [file('a', { mode: 0o600 })] },
      `0a510a01611245${'0a40'}${HASH_BYTES}10ac0232051a0308${'8003'}`,
    ],
    ['a folder', { directories: [{ name: 'd', digest }] }, `124a0a01641245${'0a40'}${HASH_BYTES}10ac02`],
    ['a symbolic link', { symlinks: [{ name: 'l', target: '../x' }] }, '1a090a016c12042e2e2f78'],
  ])('are those of the message Directory: %s', (_what, directory, hex) => {
    expect(hexOf(directory)).toBe(hex);
    expect(decodeHex(hex)).toEqual({ ...EMPTY_DIRECTORY, ...directory });
  });

  it('are the same in whatever order the names came', () => {
    const names = ['b', 'a', 'Z', 'é', '\u{1f600}', '\uffee', 'a.b', 'a-b'];
    const sorted = names.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    const directory = decodeHex(hexOf({ files: names.map((name) => file(name)) }));
    expect(directory.files.map(({ name }) => name)).toEqual(sorted);
  });

  it('say what they were made of, whatever it was', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => {
      try {
        checkName(text);
        return true;
      } catch {
        return false;
      }
    });
    const digests = fc
      .tuple(fc.nat(2 ** 31), fc.uint8Array({ minLength: 32, maxLength: 32 }))
      .map(([size, hash]): Digest => ({ function: 'sha256', hash: hash.toHex(), size }));
    const node = fc.record({
      name,
      digest: digests,
      kind: fc.constantFrom('file', 'directory', 'symlink'),
      executable: fc.boolean(),
      mode: fc.option(fc.nat(0o777)),
      target: fc.string({ minLength: 1 }).filter((text) => !text.includes('\0')),
    });
    const nodes = fc.uniqueArray(node, { selector: (one) => one.name, maxLength: 12 });
    fc.assert(
      fc.property(nodes, (all) => {
        const ordered = all.toSorted((a, b) => compareNames(a.name, b.name));
        const directory: Directory = {
          files: ordered
            .filter(({ kind }) => kind === 'file')
            .map(({ name: of, digest: own, executable, mode }) => ({ name: of, digest: own, executable, mode })),
          directories: ordered
            .filter(({ kind }) => kind === 'directory')
            .map(({ name: of, digest: own }) => ({ name: of, digest: own })),
          symlinks: ordered
            .filter(({ kind }) => kind === 'symlink')
            .map(({ name: of, target }) => ({ name: of, target })),
        };
        expect(decodeDirectory(encodeDirectory(directory), 'sha256')).toEqual(directory);
      }),
    );
  });

  it('of a later version are read without what is not known', () => {
    expect(decodeHex(`3a0178${hexOf({ files: [file('a')] })}`).files).toEqual([file('a')]);
  });

  it.each<[string, string]>([
    ['cut in the middle', hexOf({ files: [file('a')] }).slice(0, -4)],
    ['no message at all', 'ffffffff'],
    ['names out of order', hexOf({ files: [file('b')] }) + hexOf({ files: [file('a')] })],
    ['a name twice', hexOf({ files: [file('a')] }) + hexOf({ files: [file('a')] })],
    ['a file and a folder of one name', hexOf({ files: [file('a')], directories: [{ name: 'a', digest }] })],
    ['a way up', hexOf({ files: [file('..')] })],
    ['itself', hexOf({ directories: [{ name: '.', digest }] })],
    ['a path for a name', hexOf({ files: [file('a/b')] })],
    ['an absolute path for a name', hexOf({ symlinks: [{ name: '/etc/passwd', target: 'x' }] })],
    ['no name', hexOf({ files: [file('')] })],
    ['NUL in a name', hexOf({ files: [file('a\0')] })],
    ['a name that no file system takes', hexOf({ files: [file('n'.repeat(256))] })],
    ['a hash that is none', hexOf({ files: [file('a', { digest: { ...digest, hash: 'x'.repeat(64) } })] })],
    [
      'a hash with a path in it',
      hexOf({ files: [file('a', { digest: { ...digest, hash: '../'.repeat(21) + 'a' } })] }),
    ],
    ['a negative size', hexOf({ files: [file('a', { digest: { ...digest, size: -1 } })] })],
    ['no digest', '0a030a0161'],
    ['a link to nothing', hexOf({ symlinks: [{ name: 'l', target: '' }] })],
    ['NUL in a link', hexOf({ symlinks: [{ name: 'l', target: 'a\0b' }] })],
    ['bytes in a name that are no UTF-8', `0a4a0a01ff1245${'0a40'}${HASH_BYTES}10ac02`],
  ])('are refused: %s', (_what, hex) => {
    expect(() => decodeHex(hex)).toThrow(INVALID);
  });

  it('are refused or read, whatever they are, and never break the program', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeDirectory(bytes, 'sha256');
        } catch (error) {
          expect(error).toEqual(INVALID);
        }
      }),
    );
  });
});

describe('the order of names', () => {
  it('is that of their bytes in UTF-8', () => {
    const names = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(names, names, (one, other) => {
        expect(Math.sign(compareNames(one, other))).toBe(Buffer.compare(Buffer.from(one), Buffer.from(other)));
      }),
    );
  });
});
