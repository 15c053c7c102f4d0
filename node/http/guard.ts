import { isIP } from 'node:net';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Rejection } from '../../src/errors.ts';

/**
 * Stands against other web sites that use a visitor's browser to reach this node: by a name of theirs that resolves to
 * it (the Host check), or by sending requests across sites (the Origin check on methods that change something).
 */
export interface Guard {
  /** @throws Rejection `forbidden`; `invalidRequest` when it has two Host headers, of which a proxy may see the other */
  check(request: GuardedRequest): void;
}

export type GuardedRequest = Pick<IncomingMessage, 'method' | 'headers' | 'rawHeaders'>;

export interface GuardOptions {
  readonly boundHost: string;
  readonly boundPort: number;
  /** Names, for any port, or NAME:PORT. */
  readonly allowedHosts: readonly string[];
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const WILDCARDS = new Set(['0.0.0.0', '::']);
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

export function createGuard(options: GuardOptions): Guard {
  const exact = new Set(LOOPBACK_NAMES.map((name) => `${name}:${options.boundPort}`));
  exact.add(`${bracketed(options.boundHost)}:${options.boundPort}`);
  if (options.boundPort === 80) for (const name of [...LOOPBACK_NAMES, bracketed(options.boundHost)]) exact.add(name);
  const anyPort = new Set<string>();
  for (const entry of options.allowedHosts) {
    const host = entry.toLowerCase();
    if (isIP(host) === 6) anyPort.add(bracketed(host));
    else if (/:\d+$/.test(host)) exact.add(host);
    else anyPort.add(host);
  }
  // Bound to every address, each of them is a bound host; a site's own name is none of them.
  const addressesAllowed = WILDCARDS.has(options.boundHost);

  function hostAllowed(host: string): boolean {
    if (exact.has(host)) return true;
    const name = host.replace(/:\d+$/, '');
    if (anyPort.has(name)) return true;
    return addressesAllowed && isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;
  }

  return {
    check({ method = 'GET', headers, rawHeaders }) {
      if (hostHeaders(rawHeaders) > 1) {
        throw new Rejection('invalidRequest', 'the request has more than one Host header', { field: 'Host' });
      }
      const host = headers.host?.toLowerCase() ?? '';
      if (!hostAllowed(host)) {
        throw new Rejection('forbidden', 'the Host header names a host that this node does not answer for', {
          field: 'Host',
        });
      }
      if (SAFE_METHODS.has(method)) return;
      checkOrigin(headers, host);
    },
  };
}

/** Of names and values in turn. */
function hostHeaders(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === 'host') count += 1;
  return count;
}

function checkOrigin(headers: IncomingHttpHeaders, host: string): void {
  const origin = headers.origin;
  if (origin !== undefined && originHost(origin) !== host) {
    throw new Rejection('forbidden', 'the request comes from a page of another origin', { field: 'Origin' });
  }
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    throw new Rejection('forbidden', 'the request comes from a page of another site', { field: 'Sec-Fetch-Site' });
  }
}

/** Null for `null` and for anything that is not a plain web origin. */
function originHost(origin: string): string | null {
  const match = /^https?:\/\/([^/]+)$/.exec(origin.toLowerCase());
  return match?.[1] ?? null;
}

function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host.toLowerCase();
}
