import { describe, expect, it } from 'vitest';
import { pathPattern } from '../../../src/jobs/path-pattern.ts';

function matches(pattern: string, path: string): boolean | undefined {
  return pathPattern(pattern)?.(path);
}

describe('a pattern of paths', () => {
  it.each([
    ['*', 'a'],
    ['a*c', 'ac'],
    ['a*b*c', 'aXbYbZc'],
    ['a?c', 'a😀c'],
    ['[a-c]x', 'bx'],
    ['[!a-c]x', 'dx'],
    ['[^a]', 'b'],
    ['[]]', ']'],
    ['[-a]', '-'],
    ['[', '['],
    ['.*', '.hidden'],
    ['**', 'a/b/c'],
    ['a/**', 'a/b'],
    ['**/x', 'x'],
    ['**/x', 'a/b/x'],
    ['a/**/b/**/c', 'a/1/b/2/b/c'],
    ['**/.d/*', 'a/.d/f'],
    ['{a,b}/c', 'b/c'],
    ['{a/b,c}/d', 'a/b/d'],
    ['x{,.js}', 'x'],
    ['{a,{b,c}d}', 'cd'],
    ['{a}', '{a}'],
    ['{a,b', '{a,b'],
    ['{x{a,b}', '{xb'],
    ['+(a)', '+(a)'],
  ])('%s takes %s', (pattern, path) => {
    expect(matches(pattern, path)).toBe(true);
  });

  it.each([
    ['*', 'a/b'],
    ['*', '.a'],
    ['?a', '.a'],
    ['[.]a', '.a'],
    ['a', 'b'],
    ['a/**', 'a'],
    ['**', '.a'],
    ['**', 'a/.b'],
    ['**/x', 'a/.b/x'],
    ['a/**/b', 'a/b/c'],
    ['[!a-c]', 'b'],
    ['a*b', 'abc'],
    ['+(a)', 'aa'],
  ])('%s leaves %s', (pattern, path) => {
    expect(matches(pattern, path)).toBe(false);
  });

  it('is refused where its braces stand for too many', () => {
    expect(pathPattern('{a,b}'.repeat(6))).not.toBeNull();
    expect(pathPattern('{a,b}'.repeat(7))).toBeNull();
    expect(pathPattern('{a,b}'.repeat(800))).toBeNull();
    expect(pathPattern(`${'{'.repeat(1000)}a,b${'}'.repeat(1000)}`)).not.toBeNull();
  });

  it('takes no time that grows with its stars', () => {
    expect(matches(`${'*a'.repeat(120)}b`, 'a'.repeat(255))).toBe(false);
    expect(matches(`${'**/a/'.repeat(60)}b`, Array(128).fill('a').join('/'))).toBe(false);
  });
});
