import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration, parseSize } from '../../src/units.ts';

describe('parseDuration', () => {
  it.each([
    ['250ms', 250],
    ['90s', 90_000],
    ['10m', 600_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    ['1.5s', 1_500],
    ['0s', 0],
  ])('reads %s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', '10', 's', '10 s', '-1s', '1e3s', '1h-30m', '10S', '1.s', 'ms', '1week', `${'9'.repeat(40)}d`])(
    'refuses "%s"',
    (text) => expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'invalidRequest' })),
  );

  it('refuses a text that is long for no reason without reading it all', () => {
    expect(() => parseDuration('1s'.repeat(1_000_000))).toThrow(/not a duration/);
  });

  it('reads back what formatDuration writes', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 45 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
    expect(formatDuration(5_400_250)).toBe('1h30m250ms');
  });
});

describe('parseSize', () => {
  it.each([
    ['512MiB', 512 * 2 ** 20],
    ['2GB', 2e9],
    ['1.5KiB', 1536],
    ['1024', 1024],
    ['7 B', 7],
    ['0', 0],
    [4096, 4096],
  ])('reads %s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(['', 'MiB', '1mib', '-1', '1 XB', '1e9', '99999999TiB', -1, 1.5, Number.NaN])('refuses %s', (text) =>
    expect(() => parseSize(text)).toThrow(expect.objectContaining({ code: 'invalidRequest' })),
  );
});
