import { IMPOSSIBLE, type Model } from '../history.ts';

export type RegisterInput =
  | { readonly kind: 'read'; readonly key: string }
  | { readonly kind: 'write'; readonly key: string; readonly value: number }
  | { readonly kind: 'cas'; readonly key: string; readonly from: number; readonly to: number };

/** What a read found, whether a compare-and-set took place; of a write nothing. */
export type RegisterOutput = number | boolean | 'written';

/** Registers that begin with 0, each a partition. */
export const REGISTERS: Model<number, RegisterInput, RegisterOutput> = {
  initial: () => 0,
  step(state, input, output) {
    const { answer, next } = use(state, input);
    return output === undefined || output === answer ? { ok: true, state: next } : IMPOSSIBLE;
  },
  key: (state) => String(state),
  partition: (input) => input.key,
  describe(input, output) {
    const told = output === undefined ? '?' : String(output);
    switch (input.kind) {
      case 'read':
        return `read() → ${told}`;
      case 'write':
        return `write(${input.value}) → ${told}`;
      case 'cas':
        return `cas(${input.from}, ${input.to}) → ${told}`;
    }
  },
};

/** What an atomic register does. */
export function use(state: number, input: RegisterInput): { readonly answer: RegisterOutput; readonly next: number } {
  switch (input.kind) {
    case 'read':
      return { answer: state, next: state };
    case 'write':
      return { answer: 'written', next: input.value };
    case 'cas':
      return state === input.from ? { answer: true, next: input.to } : { answer: false, next: state };
  }
}
