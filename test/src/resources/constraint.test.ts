import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatConstraint, matches, parseConstraint } from '../../../src/resources/constraint.ts';

describe('parseConstraint', () => {
  it.each([
    ['os == linux', { label: 'os', operator: 'in', values: ['linux'] }],
    ['pool!=spot', { label: 'pool', operator: 'notIn', values: ['spot'] }],
    ['arch in (amd64, arm64)', { label: 'arch', operator: 'in', values: ['amd64', 'arm64'] }],
    ['zone not  in(a)', { label: 'zone', operator: 'notIn', values: ['a'] }],
    ['  a.b/c-d == "two words"  ', { label: 'a.b/c-d', operator: 'in', values: ['two words'] }],
    ['inside == inn', { label: 'inside', operator: 'in', values: ['inn'] }],
  ])('reads %s', (text, constraint) => expect(parseConstraint(text)).toEqual(constraint));

  it.each([
    ['', 1],
    ['== linux', 1],
    ['os', 3],
    ['os = linux', 4],
    ['os ==', 6],
    ['os in linux', 7],
    ['os in ()', 8],
    ['os in (a,)', 10],
    ['os in (a', 9],
    ['os == a b', 9],
    ['os not (a)', 4],
    ['os inside (a)', 4],
  ])('refuses "%s" and tells column %i', (text, column) => {
    expect(() => parseConstraint(text)).toThrow(
      expect.objectContaining({ code: 'invalidRequest', message: expect.stringContaining(`column ${column} `) }),
    );
  });

  it('reads back what formatConstraint writes', () => {
    const value = fc.stringMatching(/^[^"]*$/);
    const label = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,20}$/);
    const constraint = fc.record({
      label,
      operator: fc.constantFrom('in' as const, 'notIn' as const),
      values: fc.array(value, { minLength: 1, maxLength: 4 }),
    });
    fc.assert(
      fc.property(constraint, (made) => {
        expect(parseConstraint(formatConstraint(made))).toEqual(made);
      }),
    );
  });
});

describe('matches', () => {
  it('takes a label that is not there as equal to nothing', () => {
    expect(matches(parseConstraint('os == linux'), {})).toBe(false);
    expect(matches(parseConstraint('os != linux'), {})).toBe(true);
    expect(matches(parseConstraint('constructor != x'), {})).toBe(true);
  });

  it('compares with each value of a list', () => {
    const constraint = parseConstraint('arch in (amd64, arm64)');
    expect(matches(constraint, { arch: 'arm64' })).toBe(true);
    expect(matches(constraint, { arch: 'riscv' })).toBe(false);
    expect(matches(parseConstraint('arch not in (amd64, arm64)'), { arch: 'arm64' })).toBe(false);
  });
});
