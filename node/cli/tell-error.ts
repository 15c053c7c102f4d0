import { ApiError, OutcomeUnknownError, ProtocolError, UnreachableError } from '../../src/client/client-error.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { plain } from './plain-text.ts';
import { UsageError } from './usage-error.ts';

/** What a user is told of an error: what happened, with its code, and what to do next where that is known. */
interface Told {
  readonly exitCode: number;
  readonly what: string;
  readonly code: string;
  readonly next: string | null;
}

/** Writes the error in one or two lines and gives the exit code. What nobody foresaw is shown with its stack. */
export async function tellError(stderr: Output, error: unknown): Promise<number> {
  const told = describe(error);
  if (told === null) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    await stderr.line(`quorate: a bug in quorate itself (internal)\n${detail}`);
    return EXIT.failed;
  }
  await stderr.line(`quorate: ${plain(told.what)} (${plain(told.code)})`);
  if (told.next !== null) await stderr.line(`  next: ${told.next}`);
  return told.exitCode;
}

function describe(error: unknown): Told | null {
  if (error instanceof UsageError) {
    return { exitCode: EXIT.usage, what: error.message, code: error.code, next: error.next };
  }
  if (error instanceof UnreachableError) {
    const next = 'start a node with `quorate dev`, or say where one is: --url or QUORATE_URL';
    return { exitCode: EXIT.unreachable, what: error.message, code: error.code, next };
  }
  if (error instanceof ApiError) return ofApi(error);
  if (error instanceof OutcomeUnknownError) {
    const next = 'look whether it was done before asking again';
    return { exitCode: EXIT.unreachable, what: error.message, code: error.code, next };
  }
  if (error instanceof ProtocolError) {
    const next = 'check that --url is the address of a Quorate node of this version';
    return { exitCode: EXIT.refused, what: error.message, code: error.code, next };
  }
  if (error instanceof Rejection || error instanceof Fault) {
    const exitCode = error instanceof Rejection ? EXIT.refused : EXIT.failed;
    return { exitCode, what: error.message, code: error.code, next: NEXT_AT_START[error.code] ?? null };
  }
  return ofSystem(error);
}

function ofApi(error: ApiError): Told {
  const { field, limit } = error.problem;
  const where = field === undefined || error.message.includes(field) ? '' : ` [${field}]`;
  const most = limit === undefined ? '' : ` [limit ${limit.name} = ${limit.value}]`;
  return {
    exitCode: error.retryable && error.status !== 429 ? EXIT.unreachable : EXIT.refused,
    what: `${error.message}${where}${most}`,
    code: error.code,
    next: NEXT_AFTER_ANSWER[error.code] ?? null,
  };
}

const NEXT_AFTER_ANSWER: Readonly<Record<string, string>> = {
  unauthenticated: 'give a token: --token or QUORATE_TOKEN; `up --bootstrap` printed the first one',
  forbidden: 'use a token with that scope: quorate token create --scope SCOPE',
  tokenExpired: 'make another token: quorate token create',
  notFound: 'list what there is: quorate jobs, quorate runners, quorate cluster status, quorate token list',
  gone: 'submit it under another --idempotency-key to run it once more',
  unknownSchedule: 'list what there is: quorate schedule list',
  schedulePaused: 'resume it first: quorate schedule resume NAME',
  scheduleBusy: 'wait for its job, or let jobs overlap: quorate schedule set NAME --overlap allowAll',
  unknownTimeZone: 'name a place, as --time-zone Europe/Stockholm',
  alreadyFinal: 'run it again: quorate retry ID, or submit it anew',
  wrongState: 'look at its state: quorate status ID',
  enoughVoters: 'quorate cluster set --voters N, or quorate cluster demote ID',
  notVoter: 'let it vote first: quorate cluster add ID',
  memberBehind: 'watch its lag and ask again: quorate cluster status',
  memberUnreachable: 'look at the members: quorate cluster status',
  memberRemoved: 'let the machine join as a new node: quorate cluster add',
  quorumAtRisk: 'look who is dead: quorate cluster status; --force does it nevertheless',
  changeInProgress: 'ask again in a moment',
  timedOut: 'look what became of it before asking again: quorate jobs; who is up: quorate cluster status --stale',
  noLeader: 'look who is up, which must be a majority: quorate cluster status --stale',
  queueFull: 'wait until jobs have ended: quorate jobs --state queued',
  tooManyRequests: 'ask again in a moment',
  overloaded: 'ask again in a moment',
  logUnavailable: 'look where it ran: quorate status ID, quorate runners',
  badAnswer: 'check that --url is the address of a Quorate node',
  outcomeUnknown: 'look for the job before submitting it again: quorate jobs',
};

const NEXT_AT_START: Readonly<Record<string, string>> = {
  wrongCluster: 'use another folder with --data, or a token of the cluster that this folder is of',
  wrongVersion: 'use the newer version of quorate that wrote the folder',
  joinRefused: 'make a join token at a member: quorate token create --join',
  tokenExpired: 'make another join token at a member: quorate token create --join',
  tokenUsedUp: 'make another join token at a member: quorate token create --join --uses N',
  peerUnreachable: 'check that a member is up and that its address in the token can be reached from here',
  memberRemoved:
    'join as a new node: an empty folder with --data, and the command that `quorate cluster add` prints at a member',
  diskFull: 'make room on the disk of the data folder',
};

const SYSTEM_ERRORS: Readonly<Record<string, readonly [what: string, next: string | null]>> = {
  EADDRINUSE: ['the port is in use', 'say another address, or port 0 for any: --http, --p2p, --grpc'],
  EADDRNOTAVAIL: ['this machine has no such address', 'say one that it has: --http, --p2p, --grpc'],
  EACCES: ['permission denied', null],
  EPERM: ['permission denied', null],
  ENOENT: ['no such file', null],
  EISDIR: ['it is a folder', null],
  ENOTDIR: ['a part of the path is no folder', null],
  EROFS: ['the disk is read-only', null],
  ENOSPC: ['the disk is full', null],
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
