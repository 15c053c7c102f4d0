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
  | { readonly kind: 'other'; readonly message: string; readonly stack: string | undefined };

export function toPlain(error: unknown): PlainError {
  if (error instanceof Rejection) {
    const { code, message, details } = error;
    return { kind: 'rejection', code, message, details };
  }
  if (error instanceof Fault) return { kind: 'fault', code: error.code, message: error.message };
  if (error instanceof Error) return { kind: 'other', message: error.message, stack: error.stack };
  return { kind: 'other', message: String(error), stack: undefined };
}

export function fromPlain(plain: PlainError): Error {
  switch (plain.kind) {
    case 'rejection':
      return new Rejection(plain.code, plain.message, plain.details);
    case 'fault':
      return new Fault(plain.code, plain.message);
    case 'other':
      return withStack(new Error(plain.message), plain.stack);
    default:
      return plain satisfies never;
  }
}

/** Of where it was thrown. */
function withStack(error: Error, stack: string | undefined): Error {
  if (stack !== undefined) error.stack = stack;
  return error;
}
