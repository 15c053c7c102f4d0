/**
 * Three kinds of trouble. A `Rejection` tells the caller what to do differently; a `Fault` tells that a disk, a peer
 * or a process let us down; a bug is an `AssertionError` and ends the process.
 */

/** Every code a caller may see. A code is never given a new meaning. */
export type RejectionCode =
  | 'invalidRequest'
  | 'unknownField'
  | 'notSupported'
  | 'tooLarge'
  | 'unauthenticated'
  | 'forbidden'
  | 'notFound'
  | 'gone'
  | 'conflict'
  | 'idempotencyConflict'
  | 'alreadyFinal'
  | 'wrongState'
  | 'staleAttempt'
  | 'unknownRunner'
  | 'staleRunner'
  | 'queueFull'
  | 'tooManyRequests'
  | 'hashMismatch'
  | 'invalidTree'
  | 'joinRefused'
  | 'tokenExpired'
  | 'tokenUsedUp'
  | 'wrongCluster'
  | 'wrongVersion'
  | 'unknownDependency'
  | 'unknownRef'
  | 'dependencyRefused'
  | 'infeasible'
  | 'unknownParent'
  | 'unknownGroup'
  | 'groupClosed'
  | 'wrongProject'
  | 'childLimit'
  | 'unknownSchedule'
  | 'schedulePaused'
  | 'scheduleBusy'
  | 'invalidCron'
  | 'cronNeverFires'
  | 'unknownTimeZone'
  | 'changeInProgress'
  | 'invalidChange'
  | 'enoughVoters'
  | 'notVoter'
  | 'memberBehind'
  | 'memberUnreachable'
  | 'memberRemoved'
  | 'quorumAtRisk';

export type FaultCode =
  | 'noLeader'
  | 'notLeader'
  | 'overloaded'
  | 'timedOut'
  | 'peerUnreachable'
  | 'logUnavailable'
  | 'runnerUnavailable'
  | 'diskFull'
  | 'diskFailed'
  | 'corrupt'
  | 'stopping';

const RETRYABLE: Readonly<Record<FaultCode, boolean>> = {
  noLeader: true,
  notLeader: true,
  overloaded: true,
  timedOut: true,
  peerUnreachable: true,
  logUnavailable: false,
  runnerUnavailable: true,
  diskFull: true,
  diskFailed: false,
  corrupt: false,
  stopping: true,
};

export interface RejectionDetails {
  /** The path of the field at fault, as `resources.memory` or `command[0]`. */
  readonly field?: string;
  /** The name in limits.ts of the limit that was passed, and its value. */
  readonly limit?: { readonly name: string; readonly value: number };
}

/** The caller can act on it. Plain data of it is part of replicated results, so it is made deterministically. */
export class Rejection extends Error {
  override readonly name = 'Rejection';
  readonly code: RejectionCode;
  readonly details: RejectionDetails;

  constructor(code: RejectionCode, message: string, details: RejectionDetails = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;

  constructor(code: FaultCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get retryable(): boolean {
    return RETRYABLE[this.code];
  }
}

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Guards an invariant of our own code, never input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

export function unreachable(value: never): never {
  throw new AssertionError(`unexpected ${JSON.stringify(value)}`);
}
