import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { Rejection } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Idempotency } from '../../src/state/commands.ts';
import { canonicalJson } from './canonical-json.ts';

const key = z
  .string()
  .min(1)
  .max(LIMITS.idempotencyKeyLength)
  .regex(/^[\x21-\x7e]+$/, 'must be visible ASCII')
  .optional();

/** The header of requests that a client may repeat, for the OpenAPI document. */
export const keyHeaders = z.object({ 'idempotency-key': key });

/** @returns null when there is none. @throws Rejection `invalidRequest` */
export function keyOf(headers: IncomingHttpHeaders): string | null {
  const given = headers['idempotency-key'];
  if (given === undefined) return null;
  const checked = key.safeParse(given);
  if (checked.success && checked.data !== undefined) return checked.data;
  throw new Rejection('invalidRequest', `the key must be visible ASCII of at most ${LIMITS.idempotencyKeyLength}`, {
    field: 'Idempotency-Key',
    limit: { name: 'idempotencyKeyLength', value: LIMITS.idempotencyKeyLength },
  });
}

/** What tells a repetition of this request from another under the same key. */
export function idempotencyOf(headers: IncomingHttpHeaders, body: unknown): Idempotency | null {
  const given = keyOf(headers);
  return given === null ? null : { key: given, bodyHash: hash('sha256', canonicalJson(body)) };
}
