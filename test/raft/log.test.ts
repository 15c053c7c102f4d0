import { describe, expect, test } from 'vitest';
import { entryBytes, RaftLog } from '../../raft/log.ts';
import type { Configuration, Entry, Term } from '../../raft/types.ts';
import { configuration, entries } from './support/builders.ts';

const INITIAL = configuration({ voters: ['a'] });
const PAIR = configuration({ voters: ['a', 'b'] });

function log(terms: readonly Term[], base = { index: 0, term: 0 }): RaftLog {
  return new RaftLog({ ...base, configuration: INITIAL }, entries(terms, base.index + 1));
}

function configurationEntry(index: number, membership: Configuration): Entry {
  return { kind: 'configuration', index, term: 1, configuration: membership };
}

function sizeOf(terms: readonly Term[], first = 1): number {
  return entries(terms, first).reduce((sum, entry) => sum + entryBytes(entry), 0);
}

describe('the log', () => {
  test('knows the term at its base and at every entry, and nothing beyond', () => {
    const tail = log([4, 5], { index: 10, term: 3 });
    expect([9, 10, 11, 12, 13].map((index) => tail.termAt(index))).toEqual([null, 3, 4, 5, null]);
  });

  test('has no gaps and terms that never go back', () => {
    expect(() => log([1]).append(entries([1], 3))).toThrow('no gaps');
    expect(() => log([2]).append(entries([1], 2))).toThrow('never go back');
  });

  test('is sliced by bytes, with one entry at least', () => {
    const five = log([1, 1, 1, 1, 1]);
    expect(five.slice(1, 5, 1)).toHaveLength(1);
    expect(five.slice(2, 5, sizeOf([1, 1], 2))).toEqual(entries([1, 1], 2));
    expect(five.slice(1, 3, 1e6)).toHaveLength(3);
    expect(five.slice(6, 5, 1e6)).toEqual([]);
  });

  test.each([
    { index: 9, term: 9, found: 9 },
    { index: 9, term: 6, found: 9 },
    { index: 9, term: 5, found: 6 },
    { index: 9, term: 4, found: 4 },
    { index: 5, term: 5, found: 5 },
    { index: 9, term: 0, found: 0 },
    { index: 99, term: 9, found: 9 },
  ])('finds the last index up to $index with a term of at most $term: $found', ({ index, term, found }) => {
    expect(log([1, 1, 4, 4, 5, 5, 6, 6, 6]).lastIndexWithTermAtMost(index, term)).toBe(found);
  });

  test('finds terms in the same way after compaction and truncation', () => {
    const cut = log([1, 1, 4, 4, 5, 5, 6, 6, 6]);
    cut.compact(3);
    expect(cut.lastIndexWithTermAtMost(9, 4)).toBe(4);
    expect(cut.lastIndexWithTermAtMost(9, 3)).toBe(3);
    cut.truncateFrom(7);
    expect(cut).toMatchObject({ firstIndex: 4, lastIndex: 6, lastTerm: 5 });
    cut.compact(6);
    expect(cut).toMatchObject({ baseIndex: 6, lastIndex: 6, lastTerm: 5, bytes: 0 });
    cut.append(entries([7], 7));
    expect(cut.lastIndexWithTermAtMost(7, 6)).toBe(6);
  });

  test('counts its bytes through appends, truncation and compaction', () => {
    const counted = log([1, 1, 1, 2]);
    expect(counted.bytes).toBe(sizeOf([1, 1, 1, 2]));
    counted.truncateFrom(4);
    counted.compact(1);
    expect(counted.bytes).toBe(sizeOf([1, 1], 2));
  });

  test('keeps the membership at every index that it still holds', () => {
    const members = new RaftLog({ index: 0, term: 0, configuration: INITIAL }, entries([1, 1]));
    members.append([configurationEntry(3, PAIR)]);
    expect([0, 2, 3].map((index) => members.configurationAt(index))).toEqual([INITIAL, INITIAL, PAIR]);
    expect(members.configurationIndex).toBe(3);
    members.truncateFrom(3);
    expect(members.configuration).toEqual(INITIAL);
    members.append([configurationEntry(3, PAIR)]);
    members.compact(3);
    expect(members.configuration).toEqual(PAIR);
    expect(() => members.configurationAt(2)).toThrow('not known');
  });

  test('begins anew behind a snapshot', () => {
    const replaced = log([1, 1, 2]);
    replaced.restore({ index: 9, term: 3, configuration: PAIR });
    expect(replaced).toMatchObject({ firstIndex: 10, lastIndex: 9, lastTerm: 3, bytes: 0, configuration: PAIR });
  });
});
