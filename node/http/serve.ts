import type { IncomingMessage, ServerResponse } from 'node:http';
import { allows } from '../../src/auth.ts';
import type { Identity } from '../../src/auth.ts';
import { Fault, Rejection, unreachable } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Core, Named } from '../core.ts';
import { sendAnswer, sendText } from './answer.ts';
import { checkMediaType, hasBody, readText } from './body.ts';
import type { Guard } from './guard.ts';
import type { HttpMetrics } from './http-metrics.ts';
import { checkInput, parseJson } from './input.ts';
import { isInternal, problemHeaders, problemOf } from './problem.ts';
import type { Route, RouteInput } from './route.ts';
import { groupId, jobId } from './schemas.ts';

/** What the HTTP edge logs to; pino's Logger is one. */
export interface HttpLogger {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
  debug(fields: object, message: string): void;
}

/** One request and its answer as they came from the router. */
export interface Exchange {
  readonly raw: IncomingMessage;
  readonly response: ServerResponse;
  readonly params: unknown;
  readonly query: unknown;
  readonly requestId: string;
}

export interface ServeDependencies {
  readonly core: Core;
  readonly metrics: HttpMetrics;
  readonly logger: HttpLogger;
  /** Made once the bound port is known. */
  readonly guard: () => Guard;
  /** What becomes of requests without a token: only on loopback may the cluster take them. */
  readonly anonymous: 'asCoreSays' | 'refused';
}

/** What is left of a body that nobody read is thrown away for this long, so that the client can read the refusal. */
const LINGER_MS = 5_000;
const BEARER_MAX_LENGTH = 4096;

/** Takes every request of the table through the same steps. */
export class Serving {
  readonly #dependencies: ServeDependencies;
  readonly #open = new Set<AbortController>();
  #inFlight = 0;
  #stopping: Fault | null = null;

  constructor(dependencies: ServeDependencies) {
    this.#dependencies = dependencies;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Refuses what comes from now on and ends what waits. */
  stop(): void {
    this.#stopping = new Fault('stopping', 'this node is stopping');
    for (const controller of this.#open) controller.abort(this.#stopping);
  }

  /** Never rejects. Resolves when the answer is written. */
  async serve(route: Route, exchange: Exchange): Promise<void> {
    const startedAt = performance.now();
    const { raw, response } = exchange;
    this.#inFlight += 1;
    const abort = new LazyAbort(this.#open);
    response.once('close', () => {
      this.#inFlight -= 1;
      abort.end();
      if (!raw.complete) linger(raw);
      const seconds = (performance.now() - startedAt) / 1000;
      this.#dependencies.metrics.answered(route.method, route.path, response.statusCode, seconds);
    });
    try {
      this.#admit(route);
      this.#dependencies.guard().check(raw);
      const identity = await this.#authorize(route, raw);
      await this.#checkOwn(route, identity, exchange.params);
      const input = await inputOf(route, exchange, identity, abort);
      const answer = await route.handle(input);
      if (response.destroyed) return;
      await sendAnswer(response, answer, {
        index: this.#dependencies.core.appliedIndex(),
        onLateError: (error) => this.#logError(error, route, exchange.requestId),
      });
    } catch (error) {
      this.refuse(error, route, exchange);
    }
  }

  /** Answers with a problem, for requests outside the table too. */
  refuse(error: unknown, route: Pick<Route, 'method' | 'path'> | null, exchange: Exchange): void {
    const { response, requestId } = exchange;
    if (response.destroyed) return;
    this.#logError(error, route, requestId);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const told = problemOf(error, requestId);
    sendText(response, told.status, problemHeaders(error, told), this.#dependencies.core.appliedIndex(), told);
  }

  /** For paths outside the table: the same guard, then the given refusal. */
  refuseUnknown(error: Error, exchange: Exchange): void {
    const { raw, response } = exchange;
    response.once('close', () => {
      if (!raw.complete) linger(raw);
      this.#dependencies.metrics.answered('other', 'unknown', response.statusCode, 0);
    });
    try {
      this.#dependencies.guard().check(raw);
      this.refuse(error, null, exchange);
    } catch (forbidden) {
      this.refuse(forbidden, null, exchange);
    }
  }

  #admit(route: Route): void {
    if (route.scope === 'public') return;
    if (this.#stopping !== null) throw this.#stopping;
    if (this.#inFlight > LIMITS.httpInflight) {
      throw new Rejection('tooManyRequests', 'this node has too many requests under way', {
        limit: { name: 'httpInflight', value: LIMITS.httpInflight },
      });
    }
  }

  async #authorize(route: Route, raw: IncomingMessage): Promise<Identity> {
    if (route.scope === 'public') return NOBODY;
    const bearer = bearerOf(raw.headers.authorization);
    if (bearer === null && this.#dependencies.anonymous === 'refused') {
      throw new Rejection('unauthenticated', 'a token is needed: Authorization: Bearer TOKEN');
    }
    const identity = await this.#dependencies.core.authenticate(bearer);
    if (route.scope !== 'anyToken' && !allows(identity.scopes, route.scope)) {
      throw new Rejection('forbidden', `this needs a token with the scope ${route.scope}`);
    }
    return identity;
  }

  /** A job's token opens less than its scopes do. */
  async #checkOwn({ own, scope }: Route, identity: Identity, params: unknown): Promise<void> {
    if (identity.principal.job === undefined || own === 'handler' || scope === 'anyToken') return;
    await this.#dependencies.core.checkOwn(identity, own === undefined ? null : namedBy(own, params));
  }

  #logError(error: unknown, route: Pick<Route, 'method' | 'path'> | null, requestId: string): void {
    const told = problemOf(error, requestId);
    const fields = { requestId, method: route?.method, route: route?.path, code: told.code, status: told.status };
    if (isInternal(told)) this.#dependencies.logger.error({ ...fields, err: error }, 'request failed');
    else this.#dependencies.logger.debug(fields, 'request refused');
  }
}

function namedBy(own: 'new' | 'job' | 'group', params: unknown): Named {
  const { id = '' } = params as { readonly id?: string };
  switch (own) {
    case 'new':
      return { kind: 'new' };
    case 'job':
      return { kind: 'job', id: jobId(id) };
    case 'group':
      return { kind: 'group', id: groupId(id) };
    default:
      return unreachable(own);
  }
}

const NOBODY: Identity = { principal: { id: 'nobody', token: null, kind: 'local' }, scopes: [] };

/** Null when the client sent no credentials. */
function bearerOf(header: string | undefined): string | null {
  if (header === undefined) return null;
  const match = header.length <= BEARER_MAX_LENGTH ? /^Bearer +(\S+)$/i.exec(header) : null;
  if (match?.[1] === undefined)
    throw new Rejection('unauthenticated', 'the Authorization header must be a Bearer token');
  return match[1];
}

async function inputOf(
  route: Route,
  exchange: Exchange,
  identity: Identity,
  abort: LazyAbort,
): Promise<RouteInput<unknown, unknown, unknown>> {
  const { raw } = exchange;
  return {
    params: route.params === undefined ? undefined : checkInput(route.params, exchange.params),
    query: checkQuery(route, exchange.query),
    body: await bodyOf(route, raw),
    identity,
    headers: raw.headers,
    requestId: exchange.requestId,
    raw,
    signal: () => abort.signal(),
  };
}

function checkQuery(route: Route, query: unknown): unknown {
  if (route.query !== undefined) return checkInput(route.query, query);
  const [unknownField] = Object.keys(query as object);
  if (unknownField === undefined) return undefined;
  throw new Rejection('unknownField', `there is no parameter ${unknownField}`, { field: unknownField });
}

async function bodyOf(route: Route, raw: IncomingMessage): Promise<unknown> {
  const rule = route.body ?? { kind: 'none' };
  if (rule.kind === 'none') {
    if (hasBody(raw)) await expectEmptyBody(raw);
    return undefined;
  }
  checkMediaType(rule, raw);
  if (rule.kind === 'stream') return undefined;
  const value = parseJson(await readText(raw, rule.maxBytes));
  return rule.check === undefined ? checkInput(rule.schema, value) : rule.check(value);
}

/** Some clients send `{}` wherever they POST. */
async function expectEmptyBody(raw: IncomingMessage): Promise<void> {
  const text = (await readText(raw, { name: 'bodyBytes', value: LIMITS.bodyBytes })).trim();
  if (text !== '' && text !== '{}') throw new Rejection('invalidRequest', 'this request takes no body');
}

/** Makes a signal only for the routes that ask for one. */
class LazyAbort {
  readonly #open: Set<AbortController>;
  #controller: AbortController | null = null;
  #ended = false;

  constructor(open: Set<AbortController>) {
    this.#open = open;
  }

  signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#ended) this.#controller.abort(CLIENT_GONE);
      else this.#open.add(this.#controller);
    }
    return this.#controller.signal;
  }

  end(): void {
    this.#ended = true;
    if (this.#controller === null) return;
    this.#open.delete(this.#controller);
    this.#controller.abort(CLIENT_GONE);
  }
}

const CLIENT_GONE = new Rejection('invalidRequest', 'the client is gone');

function linger(raw: IncomingMessage): void {
  const timer = setTimeout(() => {
    if (!raw.complete) raw.destroy();
  }, LINGER_MS);
  timer.unref();
  raw.once('close', () => clearTimeout(timer));
}
