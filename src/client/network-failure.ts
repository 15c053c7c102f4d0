/** What a request met that got no answer. `unsent`: no node can have taken it. */
export interface NetworkFailure {
  readonly kind: 'lost' | 'unsent';
  readonly reason: string;
  readonly cause: unknown;
}

/** Told by Node's fetch before a byte of the request is written. */
const UNSENT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name could not be resolved',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  EADDRNOTAVAIL: 'no local address to connect from',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
};

const LOST: Readonly<Record<string, string>> = {
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'the answer stopped',
};

/** Browsers tell nothing of why a fetch failed; that counts as lost. */
export function failureOf(error: unknown): NetworkFailure {
  if (error instanceof Error && error.name === 'TimeoutError') {
    return { kind: 'lost', reason: 'no answer in time', cause: error };
  }
  const code = codeOf(error);
  const unsent = UNSENT[code];
  if (unsent !== undefined) return { kind: 'unsent', reason: unsent, cause: error };
  return { kind: 'lost', reason: LOST[code] ?? messageOf(error), cause: error };
}

/** Node's fetch hides the reason behind one or two causes; several addresses of one host make an AggregateError. */
function codeOf(error: unknown): string {
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 4; cause = cause.cause, depth += 1) {
    if ('code' in cause && typeof cause.code === 'string') return cause.code;
    if (cause instanceof AggregateError) return codeOf(cause.errors[0]);
  }
  return '';
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no answer';
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}
