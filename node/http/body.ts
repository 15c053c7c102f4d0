import type { IncomingMessage } from 'node:http';
import { isUtf8 } from 'node:buffer';
import { Fault, Rejection } from '../../src/errors.ts';
import { HttpError } from './problem.ts';
import type { BodyRule } from './route.ts';

/** A client that sends nothing of its body for this long is given up. */
const BODY_IDLE_MS = 60_000;
/** A body that is read whole has to be there by then, however it trickles. */
const BODY_TOTAL_MS = 60_000;

/** What curl says of `-d` when nobody told it a type. */
const CURL_DEFAULT = 'application/x-www-form-urlencoded';

/** The media type without its parameters, in lower case; null when the client named none. */
export function mediaType(raw: IncomingMessage): string | null {
  const header = raw.headers['content-type'];
  if (header === undefined) return null;
  const end = header.indexOf(';');
  return (end === -1 ? header : header.slice(0, end)).trim().toLowerCase();
}

export function hasBody(raw: IncomingMessage): boolean {
  const length = raw.headers['content-length'];
  return raw.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/** @throws HttpError `unsupportedMediaType` */
export function checkMediaType(rule: BodyRule, raw: IncomingMessage): void {
  if (raw.headers['content-encoding'] !== undefined && raw.headers['content-encoding'] !== 'identity') {
    throw new HttpError('unsupportedMediaType', 'the body must be sent without a content encoding');
  }
  const type = mediaType(raw);
  const accepted = acceptedTypes(rule);
  if (accepted === null || (type === null && accepted.untyped)) return;
  if (type !== null && accepted.types.includes(type)) return;
  throw new HttpError('unsupportedMediaType', `the Content-Type must be ${accepted.types[0] ?? 'left out'}`);
}

function acceptedTypes(rule: BodyRule): { readonly types: readonly string[]; readonly untyped: boolean } | null {
  switch (rule.kind) {
    case 'none':
      return null;
    case 'json':
      return rule.types === 'json'
        ? { types: ['application/json'], untyped: false }
        : { types: ['application/json', CURL_DEFAULT], untyped: true };
    case 'stream':
      return rule.types === null ? null : { types: [...rule.types, CURL_DEFAULT], untyped: true };
  }
}

/**
 * The whole body as text.
 * @throws Rejection `tooLarge`, `invalidRequest` when it is not UTF-8; Fault `timedOut` when it does not come
 */
export async function readText(
  raw: IncomingMessage,
  limit: { readonly name: string; readonly value: number },
): Promise<string> {
  if (Number(raw.headers['content-length'] ?? 0) > limit.value) throw tooLarge(limit);
  const bytes = await readBytes(raw, limit);
  if (!isUtf8(bytes)) throw new Rejection('invalidRequest', 'the body is not UTF-8');
  return bytes.toString('utf8');
}

function readBytes(raw: IncomingMessage, limit: { readonly name: string; readonly value: number }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = setTimeout(() => finish(new Fault('timedOut', 'the body did not come in time')), BODY_TOTAL_MS);
    function finish(error: Error | null): void {
      clearTimeout(timer);
      raw.off('data', onData).off('end', onEnd).off('error', onLost).off('close', onLost);
      if (error !== null) reject(error);
      else resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length));
    }
    function onData(chunk: Buffer): void {
      length += chunk.length;
      if (length > limit.value) finish(tooLarge(limit));
      else chunks.push(chunk);
    }
    const onEnd = (): void => finish(null);
    const onLost = (): void => finish(new Rejection('invalidRequest', 'the request ended before its body did'));
    raw.on('data', onData).on('end', onEnd).on('error', onLost).on('close', onLost);
  });
}

function tooLarge(limit: { readonly name: string; readonly value: number }): Rejection {
  return new Rejection('tooLarge', `the body is larger than ${limit.value} bytes`, { limit });
}

/**
 * The body as it comes; leaving the loop early does not destroy the request, so that it can still be answered.
 * @throws Fault `timedOut` when nothing comes for a while; the request's own error when the client is gone
 */
export async function* readChunks(raw: IncomingMessage, idleMs: number = BODY_IDLE_MS): AsyncGenerator<Buffer, void> {
  const iterator = raw.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  let timer: NodeJS.Timeout | null = null;
  try {
    for (;;) {
      timer = setTimeout(() => raw.destroy(new Fault('timedOut', 'the body stopped coming')), idleMs);
      const next = await iterator.next();
      clearTimeout(timer);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    if (timer !== null) clearTimeout(timer);
    await iterator.return?.();
  }
}
