import type { Problem } from '../../src/api/views.ts';
import { ApiError, OutcomeUnknownError, ProtocolError, UnreachableError } from '../../src/client/client-error.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import { EXIT } from './exit-codes.ts';
import { nextAfterAnswer, nextOnThisMachine } from './next-steps.ts';
import type { Output } from './output.ts';
import { plain } from './plain-text.ts';
import { UsageError } from './usage-error.ts';

/** What a user is told of an error: what happened, with its code, and what to do next where that is known. */
export interface Told {
  readonly exitCode: number;
  readonly what: string;
  readonly code: string;
  readonly next: string | null;
  /** As a node told it. */
  readonly problem?: Problem;
  /** Of a bug. */
  readonly stack?: string;
}

/** `json`: problem details (RFC 9457) in one line, for programs. */
export type ErrorFormat = 'text' | 'json';

export function errorFormat({ json }: { readonly json?: true }): ErrorFormat {
  return json === true ? 'json' : 'text';
}

/**
 * Writes the error in one or two lines and gives the exit code. What nobody foresaw is shown with its stack.
 * @param command the word behind `quorate`, for what to do next
 */
export function tellError(
  stderr: Output,
  error: unknown,
  { format, command = null }: { readonly format: ErrorFormat; readonly command?: string | null },
): Promise<number> {
  return tell(stderr, describe(error, command), format);
}

/** The same for what is no error of anybody, as that a wait took too long. */
export async function tell(stderr: Output, told: Told, format: ErrorFormat): Promise<number> {
  if (format === 'json') await stderr.json(problemOf(told));
  else {
    await stderr.line(`quorate: ${plain(told.what)} (${plain(told.code)})`);
    if (told.stack !== undefined) await stderr.line(told.stack);
    if (told.next !== null) await stderr.line(`  next: ${told.next}`);
  }
  return told.exitCode;
}

/** The status is there where a node answered. */
type CliProblem = Omit<Problem, 'status'> & {
  readonly status?: number;
  readonly next?: string;
  readonly exitCode: number;
};

function problemOf({ problem, what, code, next, exitCode }: Told): CliProblem {
  const { type = 'about:blank', title = TITLES[exitCode] ?? 'Error', ...rest } = problem ?? {};
  return { type, title, ...rest, code, detail: problem?.detail ?? what, ...(next === null ? {} : { next }), exitCode };
}

const TITLES: Readonly<Record<number, string>> = {
  [EXIT.failed]: 'Failed',
  [EXIT.usage]: 'Wrong usage',
  [EXIT.unreachable]: 'No node answers',
  [EXIT.refused]: 'Refused',
};

function describe(error: unknown, command: string | null): Told {
  if (error instanceof UsageError) {
    return { exitCode: EXIT.usage, what: error.message, code: error.code, next: error.next };
  }
  if (error instanceof UnreachableError) {
    const next = 'start a node with `quorate dev`, or say where one is: --url or QUORATE_URL';
    return { exitCode: EXIT.unreachable, what: error.message, code: error.code, next };
  }
  if (error instanceof ApiError) return ofApi(error, command);
  if (error instanceof OutcomeUnknownError) {
    const next = 'look whether it was done before asking again';
    return { exitCode: EXIT.unreachable, what: error.message, code: error.code, next };
  }
  if (error instanceof ProtocolError) {
    return {
      exitCode: EXIT.refused,
      what: error.message,
      code: error.code,
      next: nextAfterAnswer(error.code, command),
    };
  }
  if (error instanceof Rejection || error instanceof Fault) {
    const exitCode = error instanceof Rejection ? EXIT.refused : EXIT.failed;
    return { exitCode, what: error.message, code: error.code, next: nextOnThisMachine(error.code) };
  }
  return ofSystem(error) ?? ofBug(error);
}

function ofApi(error: ApiError, command: string | null): Told {
  const { problem } = error;
  const { field, limit } = problem;
  const where = field === undefined || error.message.includes(field) ? '' : ` [${field}]`;
  const most = limit === undefined ? '' : ` [limit ${limit.name} = ${limit.value}]`;
  return {
    exitCode: error.retryable && error.status !== 429 ? EXIT.unreachable : EXIT.refused,
    what: `${error.message}${where}${most}`,
    code: error.code,
    next: nextAfterAnswer(error.code, command),
    problem,
  };
}

function ofBug(error: unknown): Told {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { exitCode: EXIT.failed, what: 'a bug in quorate itself', code: 'internal', next: null, stack };
}

const SYSTEM_ERRORS: Readonly<Record<string, readonly [what: string, next: string | null]>> = {
  EADDRINUSE: ['the port is in use', 'say another address, or port 0 for any: --http, --p2p, --grpc'],
  EADDRNOTAVAIL: ['this machine has no such address', 'say one that it has: --http, --p2p, --grpc'],
  EACCES: ['permission denied', null],
  EPERM: ['permission denied', null],
  EEXIST: ['it is there already', 'choose another name'],
  ENOENT: ['no such file', null],
  EISDIR: ['it is a folder', null],
  ENOTDIR: ['a part of the path is no folder', null],
  EROFS: ['the disk is read-only', null],
  ENOSPC: ['the disk is full', null],
  EIO: ['it cannot be read or written', null],
  EMFILE: ['too many open files', 'raise the limit: ulimit -n'],
};

function ofSystem(error: unknown): Told | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null;
  const known = SYSTEM_ERRORS[error.code];
  if (known === undefined) return null;
  const subject = subjectOf(error);
  const [what, next] = known;
  return { exitCode: EXIT.failed, what: subject === '' ? what : `${subject}: ${what}`, code: error.code, next };
}

function subjectOf(error: Error): string {
  if ('path' in error && typeof error.path === 'string') return error.path;
  const { address, port } = error as { readonly address?: unknown; readonly port?: unknown };
  return typeof address === 'string' && typeof port === 'number' ? `${address}:${port}` : '';
}
