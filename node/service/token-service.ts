import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { CreatedJoinToken, CreatedToken, TokenView } from '../../src/api/views.ts';
import { type Identity, JOB_SCOPES, type JobAttempt, jobPrincipal, SCOPES, type Scope } from '../../src/auth.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import type { TokenId } from '../../src/ids.ts';
import type { TokenRecord } from '../../src/state/records.ts';
import type { Replica } from '../replica/replica.ts';
import type { JobTokens } from './job-tokens.ts';
import { expectTaken } from './results.ts';

/** `qt_` ID `_` SECRET. The state holds the SHA-256 of the secret only. */
const TOKEN = /^qt_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

export interface NewToken {
  readonly id: TokenId;
  readonly secret: string;
  readonly hash: string;
}

export function makeToken(): NewToken {
  const id = randomBytes(8).toString('hex') as TokenId;
  const secret = randomBytes(32).toString('base64url');
  return { id, secret, hash: hashSecret(secret) };
}

export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

export function formatToken(token: Pick<NewToken, 'id' | 'secret'>): string {
  return `qt_${token.id}_${token.secret}`;
}

export function parseToken(text: string): NewToken | null {
  const match = TOKEN.exec(text);
  if (match === null) return null;
  const [, id, secret] = match as unknown as [string, TokenId, string];
  return { id, secret, hash: hashSecret(secret) };
}

/** Makes a join token's text from its id and secret: it also holds the cluster's key and addresses to ask. */
export type JoinTokenFormat = (token: NewToken, expiresAt: number) => string;

export class TokenService {
  readonly #replica: Replica;
  readonly #jobTokens: JobTokens;
  readonly #formatJoinToken: JoinTokenFormat;

  constructor(
    dependencies: { readonly replica: Replica; readonly jobTokens: JobTokens },
    formatJoinToken: JoinTokenFormat,
  ) {
    this.#replica = dependencies.replica;
    this.#jobTokens = dependencies.jobTokens;
    this.#formatJoinToken = formatJoinToken;
  }

  async authenticate(bearer: string | null): Promise<Identity> {
    const attempt = bearer === null ? null : this.#jobTokens.parse(bearer);
    return attempt === null ? this.#authenticateClient(bearer) : this.#authenticateJob(attempt);
  }

  async #authenticateJob(attempt: JobAttempt): Promise<Identity> {
    // This node may not have heard yet that the attempt was assigned; it may not have heard that it ended either, but
    // what it asks for is checked again where it stands in the log.
    if (!isCurrent(this.#replica.state, attempt)) await this.#replica.barrier();
    if (!isCurrent(this.#replica.state, attempt)) {
      throw new Rejection('unauthenticated', 'the attempt that this token belongs to has ended');
    }
    return { principal: jobPrincipal(attempt), scopes: JOB_SCOPES };
  }

  #authenticateClient(bearer: string | null): Identity {
    const { cluster, tokens } = this.#replica.state;
    if (cluster === null) throw new Fault('noLeader', 'this node does not know its cluster yet');
    if (bearer === null) {
      if (cluster.auth === 'loopbackOpen') return { principal: LOCAL, scopes: ['admin'] };
      throw new Rejection('unauthenticated', 'a token is needed: Authorization: Bearer …');
    }
    const token = parseToken(bearer);
    const record = token === null ? undefined : tokens.get(token.id);
    if (token === null || record === undefined || !isSame(token.hash, record.hash)) {
      throw new Rejection('unauthenticated', 'the token is not known to this cluster');
    }
    if (record.expiresAt !== null && record.expiresAt <= Date.now()) {
      throw new Rejection('tokenExpired', 'the token has expired');
    }
    return { principal: { id: `token:${record.name}`, token: record.id, kind: 'token' }, scopes: record.scopes };
  }

  async list(): Promise<readonly TokenView[]> {
    await this.#replica.barrier();
    return [...this.#replica.state.tokens.values()].map(toView);
  }

  async create(
    identity: Identity,
    request: { readonly name: string; readonly scopes: readonly Scope[]; readonly ttlMs: number | null },
  ): Promise<CreatedToken> {
    const token = makeToken();
    const scopes = SCOPES.filter((scope) => request.scopes.includes(scope));
    const expiresAt = request.ttlMs === null ? null : Date.now() + request.ttlMs;
    const { id, hash } = token;
    expectTaken(
      await this.#replica.propose(identity.principal, [
        { kind: 'createToken', id, hash, name: request.name, scopes, expiresAt },
      ]),
    );
    return { ...toView({ id, hash, name: request.name, scopes, expiresAt }), token: formatToken(token) };
  }

  async createJoinToken(
    identity: Identity,
    request: { readonly uses: number; readonly ttlMs: number },
  ): Promise<CreatedJoinToken> {
    const token = makeToken();
    const expiresAt = Date.now() + request.ttlMs;
    const { id, hash } = token;
    const { uses } = request;
    expectTaken(
      await this.#replica.propose(identity.principal, [{ kind: 'createJoinToken', id, hash, uses, expiresAt }]),
    );
    return { token: this.#formatJoinToken(token, expiresAt), uses, expiresAt: new Date(expiresAt).toISOString() };
  }

  async revoke(identity: Identity, id: TokenId): Promise<void> {
    expectTaken(await this.#replica.propose(identity.principal, [{ kind: 'revokeToken', id }]));
  }
}

const LOCAL: Identity['principal'] = { id: 'local', token: null, kind: 'local' };

function isCurrent({ jobs }: Replica['state'], { id, attempt }: JobAttempt): boolean {
  const job = jobs.get(id);
  return (job?.state === 'assigned' || job?.state === 'running') && job.current.attempt === attempt;
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

function toView(record: TokenRecord): TokenView {
  const { id, name, scopes, expiresAt } = record;
  return { id, name, scopes, expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString() };
}
