import { describe, expect, it } from 'vitest';
import { blobName, formatDigest, formatName, parseDigest, parseName } from '../../../src/cas/digest.ts';

const HASH = 'ab01'.repeat(16);

describe('the name of a blob', () => {
  it('is written and read with its function', () => {
    const name = blobName('sha256', HASH);
    expect(formatName(name)).toBe(`sha256:${HASH}`);
    expect(parseName(formatName(name))).toEqual(name);
    const digest = { ...name, size: 12 };
    expect(formatDigest(digest)).toBe(`sha256:${HASH}/12`);
    expect(parseDigest(formatDigest(digest))).toEqual(digest);
  });

  it.each([
    ['', 'nothing'],
    [HASH, 'no function'],
    [`md5:${HASH}`, 'a function that is not known'],
    [`toString:${HASH}`, 'what every object has'],
    [`sha256:${HASH.slice(1)}`, 'a digit short'],
    [`sha256:${HASH}0`, 'a digit more'],
    [`sha256:${HASH.toUpperCase()}`, 'upper case'],
    [`sha256:../${HASH.slice(3)}`, 'a way out of the folder'],
    [`sha256:${HASH.slice(1)}\n`, 'a line end'],
    [`sha256:${HASH}:${HASH}`, 'two hashes'],
  ])('is refused: %j (%s)', (text) => {
    expect(() => parseName(text)).toThrow(expect.objectContaining({ code: 'invalidRequest' }));
  });

  it.each(['', '/', '/-1', '/1.5', '/1e3', '/99999999999999999', '/1/2'])('is no digest with the size %j', (size) => {
    expect(() => parseDigest(`sha256:${HASH}${size}`)).toThrow(expect.objectContaining({ code: 'invalidRequest' }));
  });
});
