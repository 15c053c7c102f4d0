import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Rejection } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Address } from '../config/config.ts';
import type { Core } from '../core.ts';
import { Followers } from './followers.ts';
import type { ServedBlobs } from './blobs.ts';
import { createGuard } from './guard.ts';
import type { Guard } from './guard.ts';
import { createHttpMetrics } from './http-metrics.ts';
import { describeRoutes } from './openapi.ts';
import { HttpError, problem } from './problem.ts';
import type { Route } from './route.ts';
import { Serving } from './serve.ts';
import type { Exchange } from './serve.ts';
import { routeTable } from './table.ts';

export interface HttpDependencies {
  readonly core: Core;
  readonly blobs: ServedBlobs;
  readonly metrics: Registry;
  readonly logger: Logger;
}

export interface AppOptions {
  readonly allowedHosts: readonly string[];
  /** What becomes of requests without a token. */
  readonly anonymous: 'asCoreSays' | 'refused';
  readonly version: string;
}

export interface App {
  readonly fastify: FastifyInstance;
  readonly routes: readonly Route[];
  /** Told once the port is known; until then every request is refused. */
  bind(address: Address): void;
  stop(): void;
}

const HEADERS_TIMEOUT_MS = 15_000;
const KEEP_ALIVE_MS = 72_000;
const TCP_KEEP_ALIVE_MS = 30_000;
const MAX_PARAM_LENGTH = 512;

/** The router and what every request goes through. It reads no bodies and sends no answers: serve.ts does. */
export async function createApp(dependencies: HttpDependencies, options: AppOptions): Promise<App> {
  const { core, blobs, metrics: registry } = dependencies;
  const logger = dependencies.logger.child({ part: 'http' });
  const followers = { logs: new Followers('logFollowers'), events: new Followers('eventFollowers') };
  let guard: Guard = CLOSED;
  const metrics = createHttpMetrics(registry, {
    requestsInFlight: () => serving.inFlight,
    logFollowers: () => followers.logs.count,
    eventFollowers: () => followers.events.count,
  });
  const serving = new Serving({ core, metrics, logger, guard: () => guard, anonymous: options.anonymous });
  const description: { text: object | null } = { text: null };
  const routes = routeTable({
    core,
    blobs,
    registry,
    metrics,
    logger,
    followers,
    openApi: () => (description.text ??= describeRoutes(routes, options.version)),
  });
  const app = createFastify(serving);
  register(app, routes, serving);
  await app.ready();
  return {
    fastify: app,
    routes,
    bind(address) {
      guard = createGuard({
        boundHost: address.host,
        boundPort: address.port,
        allowedHosts: options.allowedHosts,
      });
    },
    stop: () => serving.stop(),
  };
}

const CLOSED: Guard = {
  check() {
    throw new Rejection('forbidden', 'this node does not listen yet');
  },
};

function createFastify(serving: Serving): FastifyInstance {
  const session = randomBytes(4).toString('hex');
  let count = 0;
  const answers = new WeakMap<Socket, ServerResponse>();
  const app = fastify({
    logger: false,
    genReqId: () => `${session}-${(count += 1).toString(36)}`,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    keepAliveTimeout: KEEP_ALIVE_MS,
    // A body may come for as long as it comes: body.ts watches over those that stall.
    requestTimeout: 0,
    http: {
      // Without one the guard refuses it, with a code.
      requireHostHeader: false,
      headersTimeout: HEADERS_TIMEOUT_MS,
      maxHeaderSize: LIMITS.httpHeaderBytes,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    clientErrorHandler: (error, socket) => refuseBrokenHttp(error, socket, answers.get(socket)),
    frameworkErrors(error, request, reply) {
      reply.hijack();
      serving.refuseUnknown(routerError(error), exchangeOf(request, reply));
    },
  });
  app.server.on('request', (request, response) => answers.set(request.socket, response));
  app.server.maxConnections = LIMITS.httpConnections;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  return app;
}

function register(app: FastifyInstance, routes: readonly Route[], serving: Serving): void {
  for (const route of routes) {
    app.route({
      method: route.method,
      url: route.path,
      handler(request, reply) {
        reply.hijack();
        void serving.serve(route, exchangeOf(request, reply));
      },
    });
  }
  app.setNotFoundHandler((request, reply) => {
    reply.hijack();
    serving.refuseUnknown(unknownPath(routes, request.url), exchangeOf(request, reply));
  });
  app.setErrorHandler((error, request, reply) => {
    reply.hijack();
    serving.refuseUnknown(routerError(error), exchangeOf(request, reply));
  });
}

function exchangeOf(request: FastifyRequest, reply: FastifyReply): Exchange {
  return {
    raw: request.raw,
    response: reply.raw,
    params: request.params,
    query: request.query,
    requestId: request.id,
  };
}

function unknownPath(routes: readonly Route[], url: string): Error {
  const path = url.split('?', 1)[0] ?? '';
  const methods = routes.filter((route) => matches(route.path, path)).map((route) => route.method);
  if (methods.length === 0) return new Rejection('notFound', 'there is no such path');
  const allow = methods.toSorted().join(', ');
  return new HttpError('methodNotAllowed', `this path takes ${allow}`, { allow });
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  const fits = wanted.every((part, at) => part === '*' || part.startsWith(':') || part === given[at]);
  return fits && (wanted.length === given.length || (wanted.at(-1) === '*' && given.length > wanted.length));
}

/** Of fastify's own errors only those of the request's head can come here. */
function routerError(error: unknown): Error {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : null;
  if (status === 415) return new HttpError('unsupportedMediaType', 'the Content-Type is malformed');
  if (status === 414) return new Rejection('notFound', 'there is no such path: a part of it is too long');
  if (status === 400) return new Rejection('invalidRequest', 'the path is malformed');
  return error instanceof Error ? error : new Error('the router failed', { cause: error });
}

/** What is not even HTTP gets an answer if it can still be written, and not into the middle of another. */
function refuseBrokenHttp(
  error: Error & { readonly code?: string },
  socket: Socket,
  before: ServerResponse | undefined,
): void {
  const amid = before !== undefined && !before.writableFinished && (before.headersSent || before.req.complete);
  if (error.code === 'ECONNRESET' || !socket.writable || amid) {
    socket.destroy();
    return;
  }
  const tooBig = error.code === 'HPE_HEADER_OVERFLOW';
  const told = tooBig
    ? problem('tooLarge', 'the header is too large', {
        limit: { name: 'httpHeaderBytes', value: LIMITS.httpHeaderBytes },
      })
    : problem('badHttp', 'this is not HTTP that can be understood, or its head came too slowly');
  const body = JSON.stringify(told);
  socket.end(
    `HTTP/1.1 ${told.status} ${told.title}\r\ncontent-type: application/problem+json\r\nconnection: close\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
