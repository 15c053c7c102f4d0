import { Fault, type FaultCode, Rejection, type RejectionCode, type RejectionDetails } from '../../src/errors.ts';

/** An error as plain data, on its way between threads. */
export type PlainError =
  | {
      readonly kind: 'rejection';
      readonly code: RejectionCode;
      readonly message: string;
      readonly details: RejectionDetails;
    }
  | { readonly kind: 'fault'; readonly code: FaultCode; readonly message: string }
  /** Anything else: a bug, or what the source of a stream threw. */
  | { readonly kind: 'other'; readonly message: string };

export function toPlain(error: unknown): PlainError {
  if (error instanceof Rejection) {
    const { code, message, details } = error;
    return { kind: 'rejection', code, message, details };
  }
  if (error instanceof Fault) return { kind: 'fault', code: error.code, message: error.message };
  return { kind: 'other', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

export function fromPlain(plain: PlainError): Error {
  switch (plain.kind) {
    case 'rejection':
      return new Rejection(plain.code, plain.message, plain.details);
    case 'fault':
      return new Fault(plain.code, plain.message);
    case 'other':
      return new Error(plain.message);
    default:
      return plain satisfies never;
  }
}
