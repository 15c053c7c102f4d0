import { STATUS_CODES } from 'node:http';
import type { Problem } from '../../src/api/views.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import type { FaultCode, RejectionCode } from '../../src/errors.ts';

/** Troubles that only HTTP knows. */
export type HttpCode = 'internal' | 'methodNotAllowed' | 'unsupportedMediaType' | 'rangeNotSatisfiable' | 'badHttp';

export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly code: HttpCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: HttpCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.headers = headers;
  }
}

/** The one table from error code to status. */
export const STATUS_OF: Readonly<Record<RejectionCode | FaultCode | HttpCode, number>> = {
  invalidRequest: 400,
  unknownField: 400,
  notSupported: 400,
  invalidCron: 400,
  cronNeverFires: 400,
  unknownTimeZone: 400,
  badHttp: 400,
  unauthenticated: 401,
  tokenExpired: 401,
  forbidden: 403,
  joinRefused: 403,
  tokenUsedUp: 403,
  notFound: 404,
  unknownRunner: 404,
  unknownGroup: 404,
  unknownSchedule: 404,
  logUnavailable: 404,
  methodNotAllowed: 405,
  conflict: 409,
  idempotencyConflict: 409,
  gone: 410,
  alreadyFinal: 409,
  wrongState: 409,
  staleAttempt: 409,
  staleRunner: 409,
  wrongCluster: 409,
  wrongVersion: 409,
  changeInProgress: 409,
  invalidChange: 409,
  enoughVoters: 409,
  notVoter: 409,
  memberBehind: 409,
  memberUnreachable: 409,
  memberRemoved: 409,
  quorumAtRisk: 409,
  tooLarge: 413,
  unsupportedMediaType: 415,
  rangeNotSatisfiable: 416,
  hashMismatch: 422,
  invalidTree: 422,
  unknownDependency: 422,
  unknownRef: 422,
  dependencyRefused: 422,
  infeasible: 422,
  unknownParent: 422,
  groupClosed: 409,
  wrongProject: 422,
  schedulePaused: 409,
  scheduleBusy: 409,
  childLimit: 422,
  queueFull: 429,
  tooManyRequests: 429,
  internal: 500,
  diskFailed: 500,
  corrupt: 500,
  noLeader: 503,
  notLeader: 503,
  overloaded: 503,
  timedOut: 503,
  peerUnreachable: 503,
  runnerUnavailable: 503,
  diskFull: 503,
  stopping: 503,
};

/** Messages of these name paths and internals of the machine: they go to its log, the client gets this. */
const HIDDEN_DETAIL: Partial<Record<FaultCode, string>> = {
  diskFull: 'the disk of this node is full',
  diskFailed: 'the disk of this node failed',
  corrupt: 'this node found damaged data',
};

const RETRY_AFTER_SECONDS = '1';

export function problem(
  code: RejectionCode | FaultCode | HttpCode,
  detail: string,
  details: Pick<Problem, 'field' | 'limit'> = {},
): Problem {
  const status = STATUS_OF[code];
  return { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, code, detail, ...details };
}

/** What the client is told of an error; anything but our own kinds is `internal` and told under the request's id. */
export function problemOf(error: unknown, requestId: string): Problem {
  if (error instanceof Rejection) return problem(error.code, error.message, error.details);
  if (error instanceof Fault) return problem(error.code, HIDDEN_DETAIL[error.code] ?? error.message);
  if (error instanceof HttpError) return problem(error.code, error.message);
  return problem('internal', `internal error; the log of this node tells more under request ${requestId}`);
}

/** Headers that belong to an error, beside those of every answer. */
export function problemHeaders(error: unknown, told: Problem): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
  if (error instanceof HttpError) Object.assign(headers, error.headers);
  if (told.status === 429 || told.status === 503) headers['retry-after'] = RETRY_AFTER_SECONDS;
  if (told.status === 401) headers['www-authenticate'] = 'Bearer realm="quorate"';
  return headers;
}

/** Ours to repair: goes to the log as an error. */
export function isInternal(told: Problem): boolean {
  return told.status === 500;
}
