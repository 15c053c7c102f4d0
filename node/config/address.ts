import { isIP } from 'node:net';
import type { Address } from './config.ts';

const MAX_PORT = 65_535;
const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/;

/** `HOST:PORT` or `[IPV6]:PORT`. Null when it is neither. */
export function parseAddress(text: string): Address | null {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const [, ipv6, name, digits] = match;
  const port = Number(digits);
  if (port > MAX_PORT) return null;
  if (ipv6 !== undefined) return isIP(ipv6) === 6 ? { host: ipv6, port } : null;
  if (name === undefined || !isHost(name)) return null;
  return { host: name, port };
}

export function formatAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.host === b.host && a.port === b.port;
}

/** Reached from this machine alone. A name other than localhost may resolve to anything. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host.toLowerCase() === 'localhost';
}

/** What looks like an IPv4 address is one. */
function isHost(text: string): boolean {
  return /^[\d.]+$/.test(text) ? isIP(text) === 4 : HOST_NAME.test(text);
}
