import type { OpenOperation, ReturnedOperation } from './history.ts';
import type { RegisterInput, RegisterOutput } from './models/register.ts';

type Returned = ReturnedOperation<RegisterInput, RegisterOutput>;
type Open = OpenOperation<RegisterInput>;
/** When it was called, and when it returned. */
type Span = readonly [call: number, end: number];

const KEY = 'x';

export function write(client: number, value: number, [call, end]: Span, key = KEY): Returned {
  return { client, call, return: end, input: { kind: 'write', key, value }, output: 'written' };
}

export function read(client: number, found: number, [call, end]: Span, key = KEY): Returned {
  return { client, call, return: end, input: { kind: 'read', key }, output: found };
}

export function cas(client: number, [from, to]: readonly [number, number], told: RegisterOutput, span: Span): Returned {
  const [call, end] = span;
  return { client, call, return: end, input: { kind: 'cas', key: KEY, from, to }, output: told };
}

export function openWrite(client: number, value: number, call: number): Open {
  return { client, call, return: null, input: { kind: 'write', key: KEY, value } };
}

export function openCas(client: number, from: number, to: number, call: number): Open {
  return { client, call, return: null, input: { kind: 'cas', key: KEY, from, to } };
}
