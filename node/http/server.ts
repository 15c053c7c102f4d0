import { lookup } from 'node:dns/promises';
import type { AddressInfo } from 'node:net';
import { isIP } from 'node:net';
import { assert, Rejection } from '../../src/errors.ts';
import type { Address } from '../config/config.ts';
import { listenError } from '../listen-error.ts';
import { createApp, type HttpDependencies } from './app.ts';

export interface HttpOptions {
  readonly address: Address;
  /** NAME or NAME:PORT that a Host header may carry, beside the bound one and those of loopback. */
  readonly allowedHosts: readonly string[];
  /** With `loopbackOpen` this refuses to start on any other than a loopback address. */
  readonly auth?: 'required' | 'loopbackOpen';
  /** Told in /openapi.json. */
  readonly version?: string;
}

export interface HttpServer {
  /** As bound, with the port that was picked. */
  readonly address: Address;
  /** Refuses what comes from now on, ends what waits, and resolves when every connection is closed. */
  close(): Promise<void>;
}

/** Answers under way may be finished for this long. */
const CLOSE_GRACE_MS = 2_000;

/** @throws Rejection `forbidden` for an open address, `conflict` when the port is in use; Fault `stopping` otherwise */
export async function createHttpServer(dependencies: HttpDependencies, options: HttpOptions): Promise<HttpServer> {
  const loopback = await isLoopback(options.address.host).catch((error: unknown) => {
    throw listenError('HTTP', hostOf(options), error);
  });
  if (options.auth === 'loopbackOpen' && !loopback) {
    throw new Rejection(
      'forbidden',
      `without tokens the HTTP API is served on loopback only, not on ${hostOf(options)}`,
    );
  }
  const app = await createApp(dependencies, {
    allowedHosts: options.allowedHosts,
    anonymous: loopback ? 'asCoreSays' : 'refused',
    version: options.version ?? '0.0.0',
  });
  await app.fastify.listen({ ...options.address, backlog: 1024 }).catch((error: unknown) => {
    throw listenError('HTTP', hostOf(options), error);
  });
  const bound = app.fastify.server.address();
  assert(bound !== null && typeof bound === 'object', 'a TCP server has an address');
  app.bind({ host: options.address.host, port: bound.port });
  const address = addressOf(options.address.host, bound);
  dependencies.logger.info({ address }, 'http server listening');
  return {
    address,
    async close() {
      app.stop();
      const force = setTimeout(() => app.fastify.server.closeAllConnections(), CLOSE_GRACE_MS);
      await app.fastify.close();
      clearTimeout(force);
    },
  };
}

function hostOf(options: HttpOptions): string {
  return `${options.address.host}:${options.address.port}`;
}

/** The configured name is kept: an address that a name stands for may be of no use to others. */
function addressOf(host: string, bound: AddressInfo): Address {
  return { host, port: bound.port };
}

async function isLoopback(host: string): Promise<boolean> {
  if (isIP(host) !== 0) return isLoopbackAddress(host);
  const found = await lookup(host, { all: true });
  return found.every(({ address }) => isLoopbackAddress(address));
}

function isLoopbackAddress(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}
