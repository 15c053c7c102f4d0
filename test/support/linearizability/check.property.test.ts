import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seeded } from '../../raft/support/seeded.ts';
import { isLinearizableByTrying } from './brute-force.ts';
import { checkLinearizable } from './check.ts';
import type { History, Operation } from './history.ts';
import { REGISTERS, use, type RegisterInput, type RegisterOutput } from './models/register.ts';

type RegisterOperation = Operation<RegisterInput, RegisterOutput>;
type RegisterHistory = History<RegisterInput, RegisterOutput>;

interface Shape {
  readonly seed: number;
  readonly clients: number;
  readonly operations: number;
  readonly keys: number;
  readonly values: number;
  /** Of the operations whose answer never comes. */
  readonly unknown: number;
}

const small = fc.record({
  seed: fc.nat(),
  clients: fc.integer({ min: 1, max: 4 }),
  operations: fc.integer({ min: 1, max: 7 }),
  keys: fc.constant(1),
  values: fc.integer({ min: 1, max: 3 }),
  unknown: fc.constantFrom(0, 0.3),
});

describe('histories of an atomic register', () => {
  it('are accepted, whatever was delayed and whatever was never answered', () => {
    const large = fc.record({
      seed: fc.nat(),
      clients: fc.integer({ min: 1, max: 8 }),
      operations: fc.integer({ min: 1, max: 400 }),
      keys: fc.integer({ min: 1, max: 5 }),
      values: fc.integer({ min: 1, max: 5 }),
      unknown: fc.constantFrom(0, 0.02),
    });
    fc.assert(
      fc.property(large, (shape) => {
        expect(checkLinearizable(REGISTERS, run(shape)).kind).toBe('linearizable');
      }),
      { numRuns: 200 },
    );
  });

  it('are judged as by trying every order, when answers are changed', () => {
    const seen = { linearizable: 0, violation: 0, unknown: 0 };
    fc.assert(
      fc.property(small, fc.nat(), (shape, seed) => {
        const history = changeAnswers(run(shape), seeded(seed));
        const { kind } = checkLinearizable(REGISTERS, history);
        seen[kind] += 1;
        expect(kind).toBe(isLinearizableByTrying(REGISTERS, history) ? 'linearizable' : 'violation');
      }),
      { numRuns: 3_000 },
    );
    expect(Math.min(seen.linearizable, seen.violation), 'both verdicts are among them').toBeGreaterThan(300);
  });

  it('are judged as by trying every order, when everything is made up', () => {
    const seen = { linearizable: 0, violation: 0, unknown: 0 };
    const made = fc
      .array(
        fc.record({
          call: fc.nat(6),
          length: fc.nat(6),
          kind: fc.constantFrom('read', 'write', 'cas'),
          from: fc.nat(2),
          to: fc.nat(2),
          told: fc.boolean(),
          isOpen: fc.constantFrom(true, false, false, false),
        }),
        { minLength: 1, maxLength: 6 },
      )
      .map((list) => list.map((made, client) => makeUp(client, made)));
    fc.assert(
      fc.property(made, (history) => {
        const { kind } = checkLinearizable(REGISTERS, history);
        seen[kind] += 1;
        expect(kind).toBe(isLinearizableByTrying(REGISTERS, history) ? 'linearizable' : 'violation');
      }),
      { numRuns: 5_000 },
    );
    expect(Math.min(seen.linearizable, seen.violation), 'both verdicts are among them').toBeGreaterThan(300);
  });
});

/** Clients that use registers over a network: each takes effect at one instant between its call and its return. */
function run({ seed, clients, operations, keys, values, unknown }: Shape): RegisterHistory {
  const random = seeded(seed);
  const draw = (count: number) => Math.floor(random() * count);
  const calls: { client: number; call: number; effect: number; end: number | null; input: RegisterInput }[] = [];
  for (let client = 0; client < clients; client += 1) {
    let now = draw(10);
    for (let made = client; made < operations; made += clients) {
      const isOpen = random() < unknown;
      const effect = now + (isOpen ? draw(200) : draw(20));
      const end = isOpen ? null : effect + draw(20);
      calls.push({ client, call: now, effect, end, input: drawInput(draw, keys, values) });
      now = (end ?? now) + 1 + draw(5);
    }
  }
  const registers = new Map<string, number>();
  return calls
    .sort((a, b) => a.effect - b.effect)
    .map(({ client, call, end, input }): RegisterOperation => {
      if (end === null && random() < 0.5) return { client, call, return: null, input };
      const { answer, next } = use(registers.get(input.key) ?? REGISTERS.initial(), input);
      registers.set(input.key, next);
      return end === null
        ? { client, call, return: null, input }
        : { client, call, return: end, input, output: answer };
    });
}

function drawInput(draw: (count: number) => number, keys: number, values: number): RegisterInput {
  const key = `key-${draw(keys)}`;
  switch (draw(3)) {
    case 0:
      return { kind: 'read', key };
    case 1:
      return { kind: 'write', key, value: draw(values) };
    default:
      return { kind: 'cas', key, from: draw(values), to: draw(values) };
  }
}

/** One or two of them; some of the changed histories stay linearizable. */
function changeAnswers(history: RegisterHistory, random: () => number): RegisterHistory {
  const changed = new Set([Math.floor(random() * history.length), Math.floor(random() * history.length)]);
  return history.map((operation, index) => {
    if (!changed.has(index) || operation.return === null) return operation;
    const { output } = operation;
    if (typeof output === 'boolean') return { ...operation, output: !output };
    if (typeof output === 'number') return { ...operation, output: Math.floor(random() * 3) };
    return operation;
  });
}

function makeUp(
  client: number,
  made: {
    readonly call: number;
    readonly length: number;
    readonly kind: string;
    readonly from: number;
    readonly to: number;
    readonly told: boolean;
    readonly isOpen: boolean;
  },
): RegisterOperation {
  const { call, from, to } = made;
  const end = call + made.length;
  const key = 'x';
  const of = (input: RegisterInput, output: RegisterOutput): RegisterOperation =>
    made.isOpen ? { client, call, return: null, input } : { client, call, return: end, input, output };
  if (made.kind === 'read') return of({ kind: 'read', key }, from);
  if (made.kind === 'write') return of({ kind: 'write', key, value: to }, 'written');
  return of({ kind: 'cas', key, from, to }, made.told);
}
