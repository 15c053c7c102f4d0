import { describe, expect, it } from 'vitest';
import { cas, openCas, openWrite, read, write } from './builders.ts';
import { checkLinearizable } from './check.ts';
import type { History } from './history.ts';
import { REGISTERS, type RegisterInput, type RegisterOutput } from './models/register.ts';
import { expectLinearizable, tellVerdict } from './tell.ts';

type RegisterHistory = History<RegisterInput, RegisterOutput>;

const GOOD: Readonly<Record<string, RegisterHistory>> = {
  'nothing at all': [],
  'one client after another': [write(1, 3, [0, 1]), read(2, 3, [2, 3]), write(1, 4, [4, 5]), read(2, 4, [6, 7])],
  'a read during a write that finds the old value': [write(1, 3, [0, 10]), read(2, 0, [2, 3])],
  'a read during a write that finds the new value': [write(1, 3, [0, 10]), read(2, 3, [2, 3])],
  'reads during a write, the old value before the new one': [
    write(1, 3, [0, 10]),
    read(2, 0, [1, 2]),
    read(3, 3, [3, 4]),
    read(2, 3, [5, 6]),
  ],
  'two writes at once, in the order opposite to their calls': [
    write(1, 1, [0, 10]),
    write(2, 2, [1, 9]),
    read(3, 1, [11, 12]),
  ],
  'a read that returned when the write was called': [read(1, 3, [0, 5]), write(2, 3, [5, 6])],
  'one of two compare-and-sets that saw the same value': [
    cas(1, [0, 1], true, [0, 5]),
    cas(2, [0, 2], false, [0, 5]),
    read(3, 1, [6, 7]),
  ],
  'a write of unknown outcome that is seen': [openWrite(1, 3, 0), read(2, 0, [1, 2]), read(2, 3, [50, 51])],
  'a write of unknown outcome that is never seen': [openWrite(1, 3, 0), read(2, 0, [1, 2]), read(2, 0, [50, 51])],
  'a write of unknown outcome that is seen after a later one': [
    openWrite(1, 3, 0),
    write(2, 4, [1, 2]),
    read(2, 4, [3, 4]),
    read(2, 3, [5, 6]),
  ],
  'a compare-and-set of unknown outcome that only another one of unknown outcome makes possible': [
    openCas(1, 1, 2, 0),
    openCas(2, 0, 1, 0),
    read(3, 2, [5, 6]),
  ],
  'values of other keys': [write(1, 3, [0, 1], 'x'), read(2, 0, [2, 3], 'y'), read(2, 3, [2, 3], 'x')],
};

const BAD: Readonly<Record<string, RegisterHistory>> = {
  'a stale read': [write(1, 3, [0, 1]), read(2, 0, [2, 3])],
  'a value that nobody wrote': [write(1, 3, [0, 1]), read(2, 7, [2, 3])],
  'a lost update': [cas(1, [0, 1], true, [0, 5]), cas(2, [0, 2], true, [0, 5])],
  'a value that is lost again': [write(1, 3, [0, 10]), read(2, 3, [1, 2]), read(3, 0, [3, 4])],
  'two readers who disagree about the order of two writes': [
    write(1, 1, [0, 10]),
    write(2, 2, [0, 10]),
    read(3, 1, [11, 12]),
    read(4, 2, [13, 14]),
    read(3, 1, [15, 16]),
  ],
  'a value from the future': [read(1, 3, [0, 1]), write(2, 3, [2, 3])],
  'a compare-and-set that failed although nothing stood against it': [
    write(1, 1, [0, 1]),
    cas(2, [1, 2], false, [2, 3]),
  ],
  'a write of unknown outcome seen before its call': [read(2, 3, [0, 1]), openWrite(1, 3, 2)],
  'a write of unknown outcome that happened twice': [
    openWrite(1, 3, 0),
    read(2, 3, [1, 2]),
    write(2, 4, [3, 4]),
    read(2, 3, [5, 6]),
  ],
  'a compare-and-set of unknown outcome whose condition never held': [openCas(1, 5, 6, 0), read(2, 6, [1, 2])],
  'an acknowledged write that is not there at the end': [
    write(1, 1, [0, 1]),
    write(2, 2, [2, 3]),
    read(1, 1, [10, 11]),
  ],
  'one bad key among good ones': [
    write(1, 3, [0, 1], 'x'),
    read(2, 3, [2, 3], 'x'),
    write(1, 3, [0, 1], 'y'),
    read(2, 0, [2, 3], 'y'),
  ],
};

describe('what is linearizable', () => {
  it.each(Object.entries(GOOD))('%s', (_name, history) => {
    expect(checkLinearizable(REGISTERS, history).kind).toBe('linearizable');
    expect(checkLinearizable(REGISTERS, history.toReversed()).kind).toBe('linearizable');
  });
});

describe('what is not linearizable', () => {
  it.each(Object.entries(BAD))('%s', (_name, history) => {
    expect(checkLinearizable(REGISTERS, history).kind).toBe('violation');
    expect(checkLinearizable(REGISTERS, history.toReversed()).kind).toBe('violation');
  });
});

describe('a violation', () => {
  it('tells the longest order and the answer that has no place in it', () => {
    const history = [
      write(1, 3, [0, 1]),
      write(1, 4, [2, 3]),
      openWrite(3, 9, 3),
      read(2, 3, [4, 5]),
      read(1, 4, [6, 7]),
    ];
    const verdict = checkLinearizable(REGISTERS, history);
    expect(tellVerdict(REGISTERS, verdict)).toBe(
      [
        'not linearizable in "x": no order explains the answer',
        '  client 2  read() → 3  [4, 5]',
        'The longest order of what was answered before:',
        '  client 1  write(3) → written  [0, 1]  then 3',
        '  client 1  write(4) → written  [2, 3]  then 4',
        '  client 3  write(9) → ?  [3, …]  then 9',
        'and the state is 9.',
      ].join('\n'),
    );
    expect(() => expectLinearizable(REGISTERS, verdict)).toThrow('no order explains');
  });

  it('tells what was under way and found no place', () => {
    const verdict = checkLinearizable(REGISTERS, [read(1, 7, [0, 5]), cas(2, [1, 2], true, [1, 9])]);
    expect(tellVerdict(REGISTERS, verdict)).toContain(
      'Not in that order, and called before it returned:\n  client 2  cas(1, 2) → true  [1, 9]',
    );
  });
});

describe('the budget', () => {
  const hard = Array.from({ length: 40 }, (_, index) => openWrite(index, index + 1, 0));
  const undecidable = [...hard, read(99, 1_000, [1, 2])];

  it('ends the search with "unknown", which is no success', () => {
    const verdict = checkLinearizable(REGISTERS, undecidable, { maxSteps: 10_000 });
    expect(verdict).toMatchObject({ kind: 'unknown', undecided: ['x'], steps: 10_000 });
    expect(() => expectLinearizable(REGISTERS, verdict)).toThrow('undecided after 10000 steps');
  });

  it('counts time too', () => {
    let now = 0;
    const verdict = checkLinearizable(REGISTERS, undecidable, { maxMs: 5, now: () => (now += 1) });
    expect(verdict.kind).toBe('unknown');
  });

  it('is not eaten by a hard key before an easy one shows a violation', () => {
    const stale = [write(1, 3, [0, 1], 'y'), read(2, 0, [2, 3], 'y')];
    const verdict = checkLinearizable(REGISTERS, [...undecidable, ...stale], { maxSteps: 1_000 });
    expect(verdict).toMatchObject({ kind: 'violation', partition: 'y' });
  });
});

it('refuses a history in which something returned before it was called', () => {
  expect(() => checkLinearizable(REGISTERS, [write(1, 3, [5, 4])])).toThrow('before it was called');
});
