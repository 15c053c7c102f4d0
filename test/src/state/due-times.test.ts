import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Due, DueTimes } from '../../../src/state/due-times.ts';

const kind = fc.constantFrom<Due['kind']>('job', 'idempotency', 'token', 'joinToken');
const key = fc.constantFrom('a', 'b', 'c', 'd');
const step = fc.oneof(
  fc.record({ kind, key, at: fc.nat({ max: 5 }) }),
  fc.record({ kind, key, at: fc.constant(null) }),
);

describe('DueTimes', () => {
  it('tells the earliest, and among equals always the same one', () => {
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const due = new DueTimes();
        const model = new Map<string, Due>();
        for (const { kind: what, key: name, at } of steps) {
          if (at === null) due.delete(what, name);
          else due.set({ kind: what, key: name, at });
          if (at === null) model.delete(`${what} ${name}`);
          else model.set(`${what} ${name}`, { kind: what, key: name, at });
          const order = (one: Due) => `${one.at} ${one.kind} ${one.key}`;
          const inOrder = [...model.values()].toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
          expect(due.first()).toEqual(inOrder[0] ?? null);
          expect(due.firstUntil(3, 2)).toEqual(inOrder.filter((one) => one.at <= 3).slice(0, 2));
          expect(due.size).toBe(model.size);
        }
      }),
    );
  });

  it('does not grow with what was changed or taken back', () => {
    const due = new DueTimes();
    due.set({ kind: 'job', key: 'last', at: 1e9 });
    for (let at = 0; at < 200_000; at += 1) {
      due.set({ kind: 'job', key: `j${at % 10}`, at });
      if (at % 2 === 0) due.delete('job', `j${at % 10}`);
    }
    for (let n = 0; n < 10; n += 1) due.delete('job', `j${n}`);
    expect(due.size).toBe(1);
    expect(due.first()).toEqual({ kind: 'job', key: 'last', at: 1e9 });
  });

  it('gives back in order what many are due at the same time, though many others were taken back', () => {
    const due = new DueTimes();
    const keys = Array.from({ length: 5_000 }, (_, n) => `j${(n * 7919) % 5_000}`);
    for (const name of keys) due.set({ kind: 'job', key: name, at: 7 });
    for (const name of keys.filter((_, n) => n % 3 === 0)) due.delete('job', name);
    const left = keys.filter((_, n) => n % 3 !== 0).toSorted((a, b) => (a < b ? -1 : 1));
    for (const name of left) {
      expect(due.first()?.key).toBe(name);
      due.delete('job', name);
    }
    expect([due.first(), due.size, due.get('job', 'j1')]).toEqual([null, 0, null]);
  });
});
