import { createServer } from 'node:net';
import { readNodeFile } from '../storage/node-files.ts';
import { parseAddress } from './address.ts';
import type { Address } from './config.ts';

/** The addresses that the node had when it was last started on a data folder. */
export type LastStart = { readonly [Name in ServiceName]: Address | null };
export type ServiceName = 'http' | 'p2p' | 'grpc';

const NEVER: LastStart = { http: null, p2p: null, grpc: null };

/** @throws Fault `corrupt`, `diskFailed` */
export async function readLastStart(dataDir: string): Promise<LastStart> {
  const file = await readNodeFile(dataDir);
  if (file === null) return NEVER;
  return { http: parseAddress(file.http), p2p: parseAddress(file.p2p), grpc: parseAddress(file.grpc ?? '') };
}

/**
 * Where a service listens. Nothing wanted: where it did last, and that is then held to. Port 0: the port of the last
 * start while nobody else has it, so that others find the node again, else any.
 */
export async function resolveAddress(
  wanted: Address | undefined,
  last: Address | null,
  otherwise: Address,
): Promise<Address> {
  if (wanted === undefined) return last ?? otherwise;
  if (wanted.port !== 0 || last === null || last.host !== wanted.host) return wanted;
  return (await isFree(last)) ? last : wanted;
}

function isFree(address: Address): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', () => resolve(false));
  server.listen({ host: address.host, port: address.port, exclusive: true }, () => server.close(() => resolve(true)));
  return promise;
}
