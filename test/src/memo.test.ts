import { describe, expect, it } from 'vitest';
import { Memo } from '../../src/memo.ts';

describe('Memo', () => {
  it('makes a value once, and forgets all before it would hold too many', () => {
    const memo = new Memo<object>(2);
    const first = memo.get('a', () => ({}));
    expect(memo.get('a', () => ({}))).toBe(first);
    memo.get('b', () => ({}));
    expect(memo.get('a', () => ({}))).toBe(first);
    memo.get('c', () => ({}));
    expect(memo.get('a', () => ({}))).not.toBe(first);
  });
});
