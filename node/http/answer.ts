import type { ServerResponse } from 'node:http';
import { unreachable } from '../../src/errors.ts';
import type { Answer, Headers } from './route.ts';

/** Answers are data of the asker alone, and nothing in them is ever to be run by a browser. */
const COMMON_HEADERS = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
} as const;

const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' } as const;

export interface AnswerContext {
  /** The applied index to tell. */
  readonly index: number;
  /** Told of an error that came when the status was already sent. */
  readonly onLateError: (error: unknown) => void;
}

/** Resolves when the answer is written or the client is gone. */
export async function sendAnswer(response: ServerResponse, answer: Answer, context: AnswerContext): Promise<void> {
  switch (answer.kind) {
    case 'json':
      return sendText(response, answer.status, { ...JSON_TYPE, ...answer.headers }, context.index, answer.body);
    case 'text':
      writeHead(response, answer.status, context.index, {
        'content-type': answer.mediaType,
        'content-length': String(Buffer.byteLength(answer.text)),
      });
      response.end(answer.text);
      return;
    case 'empty':
      writeHead(response, answer.status, context.index, answer.headers ?? {});
      response.end();
      return;
    case 'stream':
      writeHead(response, answer.status, context.index, answer.headers);
      response.flushHeaders();
      return await sendPieces(response, answer, context);
    default:
      return unreachable(answer);
  }
}

/** For answers of problems too. */
export function sendText(
  response: ServerResponse,
  status: number,
  headers: Headers,
  index: number,
  body: unknown,
): void {
  const text = JSON.stringify(body);
  writeHead(response, status, index, { ...headers, 'content-length': String(Buffer.byteLength(text)) });
  response.end(text);
}

function writeHead(response: ServerResponse, status: number, index: number, headers: Headers): void {
  response.writeHead(status, { ...COMMON_HEADERS, 'quorate-index': index, ...headers });
}

async function sendPieces(
  response: ServerResponse,
  answer: Extract<Answer, { kind: 'stream' }>,
  context: AnswerContext,
): Promise<void> {
  try {
    for await (const piece of answer.pieces) {
      if (response.destroyed) return;
      if (!response.write(piece)) await drained(response);
    }
    if (!response.destroyed) response.end();
  } catch (error) {
    if (response.destroyed) return;
    context.onLateError(error);
    // A cut connection tells the client that what it got is not the whole.
    if (answer.onError === undefined) response.destroy();
    else response.end(answer.onError(error));
  }
}

/** A client that reads slowly holds its producer back; one that went away lets it go on to its end. */
function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed || !response.writableNeedDrain) return Promise.resolve();
  return new Promise((resolve) => {
    function done(): void {
      response.off('drain', done).off('close', done);
      resolve();
    }
    response.on('drain', done).on('close', done);
  });
}
