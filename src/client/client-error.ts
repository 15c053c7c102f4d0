import type { Problem } from '../api/views.ts';
import type { FaultCode, RejectionCode } from '../errors.ts';

/** Codes of a node's own domain, and those that only its HTTP edge or something between us knows. */
export type ApiCode = RejectionCode | FaultCode | (string & {});

/** A node answered that it does not do what was asked. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiCode;
  readonly status: number;
  readonly problem: Problem;
  /** The node that answered. */
  readonly url: string;

  constructor(problem: Problem, url: string) {
    super(problem.detail);
    this.code = problem.code;
    this.status = problem.status;
    this.problem = problem;
    this.url = url;
  }

  /** The same request may go well later, or at another node. */
  get retryable(): boolean {
    return this.status === 429 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

export interface FailedAddress {
  readonly url: string;
  /** A sentence for people, as "connection refused". */
  readonly reason: string;
}

/** None of the addresses answered. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
  readonly code = 'noNodeReachable';
  readonly failed: readonly FailedAddress[];

  constructor(failed: readonly FailedAddress[], options?: ErrorOptions) {
    super(`no node is reachable: ${failed.map(({ url, reason }) => `${url} (${reason})`).join(', ')}`, options);
    this.failed = failed;
  }
}

/**
 * The connection was lost after the request was sent, and the request is not one that may be sent twice: it may have
 * been carried out or not.
 */
export class OutcomeUnknownError extends Error {
  override readonly name = 'OutcomeUnknownError';
  readonly code = 'outcomeUnknown';
  readonly url: string;

  constructor(url: string, reason: string, options?: ErrorOptions) {
    super(`${url} was lost before it answered (${reason}); what was asked may have been done or not`, options);
    this.url = url;
  }
}

/** What came back is no answer of this API. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code = 'badAnswer';
}

/** Errors that this client throws on purpose. An abort is thrown as the signal's own reason. */
export type ClientError = ApiError | UnreachableError | OutcomeUnknownError | ProtocolError;

export function isClientError(error: unknown): error is ClientError {
  return (
    error instanceof ApiError ||
    error instanceof UnreachableError ||
    error instanceof OutcomeUnknownError ||
    error instanceof ProtocolError
  );
}
