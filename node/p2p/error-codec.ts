import { pack, unpack } from 'msgpackr';
import { z } from 'zod';
import { type FaultCode, Fault, Rejection, type RejectionCode } from '../../src/errors.ts';

const wireSchema = z.object({
  type: z.enum(['rejection', 'fault']),
  code: z.string().min(1).max(64),
  message: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
});

/** Characters of a message that travel. */
const MESSAGE_MAX = 4096;

/**
 * What a handler threw, as bytes. Anything but a Rejection or Fault is a bug over there: the asker learns that the
 * peer could not answer, the words stay in its log.
 */
export function encodeError(error: unknown): Uint8Array {
  if (error instanceof Rejection) {
    const { code, message, details } = error;
    return pack({ type: 'rejection', code, message: message.slice(0, MESSAGE_MAX), details });
  }
  if (error instanceof Fault) {
    return pack({ type: 'fault', code: error.code, message: error.message.slice(0, MESSAGE_MAX) });
  }
  return pack({ type: 'fault', code: 'peerUnreachable', message: 'the peer failed while it handled the request' });
}

/** A code that this version does not know is kept: it still tells more than another one put in its place. */
export function decodeError(bytes: Uint8Array): Rejection | Fault {
  try {
    const { type, code, message, details } = wireSchema.parse(unpack(bytes));
    if (type === 'fault') return new Fault(code as FaultCode, message);
    return new Rejection(code as RejectionCode, message, details ?? {});
  } catch {
    return new Fault('peerUnreachable', 'the peer answered with an error that cannot be read');
  }
}
