import { describe, expect, it } from 'vitest';
import { plain } from '../../../node/cli/plain-text.ts';
import { fields, table } from '../../../node/cli/table.ts';
import { cut, padEnd, widthOf } from '../../../node/cli/text-width.ts';

describe('text on a terminal', () => {
  it.each([
    ['abc', 3],
    ['日本', 4],
    ['e\u0301', 1],
    ['👩‍🚀', 2],
    ['█░…', 3],
    ['', 0],
  ])('%j takes %i columns', (text, columns) => {
    expect(widthOf(text)).toBe(columns);
    expect(widthOf(padEnd(text, 10))).toBe(10);
  });

  it.each([
    ['abcdef', 4, 'abc…'],
    ['abcd', 4, 'abcd'],
    ['日本語', 4, '日…'],
    ['a👩‍🚀b', 3, 'a…'],
    ['abc', 1, '…'],
    ['abc', 0, ''],
  ])('%j cut to %i columns is %j', (text, columns, wanted) => {
    expect(cut(text, columns)).toBe(wanted);
  });

  it.each([
    ['a\u001b[2Jb', 'ab'],
    ['a\u001b]0;title\u0007b', 'ab'],
    ['a\r\n\tb', 'a b'],
    ['a\u009b31mb', 'ab'],
    ['a\u0000\u007f\u0085b', 'a b'],
    ['invoice\u202egpj.exe', 'invoicegpj.exe'],
    ['ad\u200bmin\u2066\ufeff', 'admin'],
    ['日本語 é 👩', '日本語 é 👩'],
  ])('%j of others is shown as %j', (text, shown) => {
    expect(plain(text)).toBe(shown);
  });
});

describe('a table', () => {
  const rows = [
    ['1', '日本', 'short'],
    ['22', 'ascii', `${'x'.repeat(50)}\u001b[31m`],
  ];

  it('stands in line, whatever the names are written in', () => {
    const lines = table(['ID', 'NAME', 'WHAT'], rows).split('\n');
    expect(lines).toEqual(['ID  NAME   WHAT', '1   日本   short', `22  ascii  ${'x'.repeat(50)}`]);
  });

  it('is cut in its last column to fit a terminal, and never to nothing', () => {
    expect(table(['ID', 'NAME', 'WHAT'], rows, 20).split('\n')[2]).toBe(`22  ascii  ${'x'.repeat(8)}…`);
    expect(table(['ID', 'NAME', 'WHAT'], rows, 5).split('\n')[2]).toBe(`22  ascii  ${'x'.repeat(7)}…`);
  });

  it('of names and values holds no line that a value made', () => {
    expect(
      fields([
        ['a', 'x\ny'],
        ['long', 'z'],
        ['none', null],
      ]),
    ).toBe('a     x y\nlong  z');
  });
});
