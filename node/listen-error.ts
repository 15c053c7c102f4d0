import { Fault, Rejection } from '../src/errors.ts';

/**
 * Why an address could not be bound, in words and with a code. The cause may carry the system's code in its text only,
 * as libp2p's does.
 * @param what the address is for, as `HTTP`
 */
export function listenError(what: string, address: string, cause: unknown): Error {
  const text = `${cause instanceof Error && 'code' in cause ? String(cause.code) : ''} ${String(cause)}`;
  if (text.includes('EADDRINUSE')) return new Rejection('conflict', `the ${what} address ${address} is in use`);
  if (text.includes('EADDRNOTAVAIL')) {
    return new Rejection('invalidRequest', `this machine has no ${what} address ${address}`);
  }
  if (/ENOTFOUND|EAI_/.test(text)) {
    return new Rejection('invalidRequest', `the name in the ${what} address ${address} is not known`);
  }
  if (text.includes('EACCES')) {
    return new Rejection('forbidden', `this user may not listen on the ${what} address ${address}`);
  }
  return new Fault('stopping', `cannot listen on the ${what} address ${address}`, { cause });
}
