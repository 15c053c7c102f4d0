import { isIPv4, isIPv6 } from 'node:net';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { Rejection } from '../../src/errors.ts';
import type { Address } from '../config/config.ts';

const HOST_PORT = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[^/:[\]\s]+)):(?<port>\d{1,5})$/;
const DNS_NAME = /^[a-zA-Z0-9_](?:[a-zA-Z0-9_.-]{0,251}[a-zA-Z0-9_])?$/;
const PORT_MAX = 65535;

/**
 * A multiaddr (`/ip4/10.0.0.1/tcp/7001/p2p/12D3…`) or `HOST:PORT` (`node1:7001`, `[::1]:7001`).
 * @throws Rejection `invalidRequest`
 */
export function parseAddress(text: string): Multiaddr {
  if (text.startsWith('/')) return parseMultiaddr(text);
  const { v6, host, port } = HOST_PORT.exec(text)?.groups ?? {};
  const name = v6 ?? host;
  if (name === undefined || port === undefined || (v6 !== undefined && !isIPv6(v6))) throw notAnAddress(text);
  return multiaddrOf({ host: name, port: Number(port) });
}

/** @throws Rejection `invalidRequest` */
export function multiaddrOf({ host, port }: Address): Multiaddr {
  if (!Number.isInteger(port) || port < 0 || port > PORT_MAX) throw notAnAddress(`${host}:${port}`);
  if (isIPv4(host)) return multiaddr(`/ip4/${host}/tcp/${port}`);
  if (isIPv6(host)) return multiaddr(`/ip6/${host}/tcp/${port}`);
  if (DNS_NAME.test(host)) return multiaddr(`/dns/${host}/tcp/${port}`);
  throw notAnAddress(`${host}:${port}`);
}

/** The peer id at the end of a multiaddr, null when it names none. */
export function peerOf(address: Multiaddr): string | null {
  return address.getComponents().findLast((component) => component.name === 'p2p')?.value ?? null;
}

/** The same address, said to be that peer's: whoever else answers there is then refused by the handshake. */
export function withPeer(address: Multiaddr, peer: string): Multiaddr {
  return peerOf(address) === null ? address.encapsulate(`/p2p/${peer}`) : address;
}

export function isLoopback(address: Multiaddr): boolean {
  const first = address.getComponents()[0];
  if (first?.value === undefined) return false;
  if (first.name === 'ip4') return first.value.startsWith('127.');
  if (first.name === 'ip6') return first.value === '::1';
  return first.value === 'localhost';
}

/** Bound to all interfaces a node has loopback addresses too, which say nothing to another machine. */
export function preferReachable(addresses: readonly Multiaddr[]): Multiaddr[] {
  const reachable = addresses.filter((address) => !isLoopback(address));
  return reachable.length > 0 ? reachable : [...addresses];
}

function parseMultiaddr(text: string): Multiaddr {
  let parsed: Multiaddr;
  try {
    parsed = multiaddr(text);
  } catch {
    throw notAnAddress(text);
  }
  if (!parsed.getComponents().some((component) => component.name === 'tcp')) throw notAnAddress(text);
  return parsed;
}

function notAnAddress(text: string): Rejection {
  return new Rejection('invalidRequest', `'${text.slice(0, 200)}' is neither a multiaddr with tcp nor HOST:PORT`);
}
