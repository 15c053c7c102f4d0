import type { BatchLine, Problem } from '../api/views.ts';
import { BatchNames } from './batch-names.ts';
import { ApiError, isClientError, ProtocolError, UnreachableError } from './client-error.ts';
import { readLines } from './event-stream.ts';
import { failureOf } from './network-failure.ts';
import { readChunks } from './read-body.ts';
import { pause, type Transport } from './transport.ts';

export interface BatchOptions {
  /** Each line is taken once under one key, however often it is sent. Made up when left out, so that a cut is mended. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

/** Jobs of one request. The next one starts when it is answered, so that the order of submission holds. */
const REQUEST_JOBS = 8192;
const REQUEST_CHARACTERS = 8 * 1024 * 1024;
const ANSWER_LINE_CHARACTERS = 64 * 1024;

/**
 * Submits lines of JSON, one job each, in requests of bounded size, and yields one answer for each in order. What is
 * there is sent as soon as nothing is under way, so a slow source is not held back.
 *
 * Lines whose answers were lost with the connection are sent again, under the same key. When that does not help, the
 * rest of the request is answered with the code `outcomeUnknown`: it may have been taken. What depends on a line that
 * was not taken for certain, by its `ref`, is refused.
 * @throws ApiError when a node refuses a whole request; UnreachableError; or the signal's reason. What was yielded stands
 */
export async function* submitLines(
  transport: Transport,
  lines: AsyncIterable<string>,
  { idempotencyKey: key = crypto.randomUUID(), signal }: BatchOptions = {},
): AsyncGenerator<BatchLine, void> {
  const queue = new LineQueue(lines);
  const names = new BatchNames();
  try {
    for (let from = 1; ;) {
      const taken = await queue.take();
      if (taken.length === 0) return;
      yield* submitNamed(transport, taken, { from, key, signal }, names);
      from += taken.length;
    }
  } finally {
    queue.stop();
  }
}

interface BatchRequest {
  /** The number of the first line. */
  readonly from: number;
  readonly key: string;
  readonly signal: AbortSignal | undefined;
}

/** Keeps the number of a line that is refused here; a node takes it for no job. */
const NO_JOB = 'null';

async function* submitNamed(
  transport: Transport,
  texts: readonly string[],
  request: BatchRequest,
  names: BatchNames,
): AsyncGenerator<BatchLine, void> {
  let prepared = texts.map((text) => names.prepare(text));
  const linesBehind = (answered: number): string[] => {
    // What those that have their answer were named is unknown to who gets the rest.
    if (answered > 0) prepared = prepared.map((line, i) => (i < answered ? line : names.prepareAgain(line)));
    return prepared.slice(answered).map((line) => (line.kind === 'send' ? line.text : NO_JOB));
  };
  let at = 0;
  for await (const answer of submitRequest(transport, request, { count: texts.length, linesBehind })) {
    const line = prepared[at];
    at += 1;
    if (line?.kind === 'send' && line.ref !== null) names.note(line.ref, answer);
    yield line?.kind === 'refused' ? { error: line.error } : answer;
  }
}

/** Times that what is left of a request is sent once more without a further answer. */
const FRUITLESS_MAX = 3;

async function* submitRequest(
  transport: Transport,
  { from, key, signal }: BatchRequest,
  { count, linesBehind }: { readonly count: number; readonly linesBehind: (answered: number) => readonly string[] },
): AsyncGenerator<BatchLine, void> {
  let answered = 0;
  let lost: Problem | null = null;
  for (let fruitless = 0; answered < count && fruitless <= FRUITLESS_MAX;) {
    if (fruitless > 0) await pause(fruitless, signal);
    const before = answered;
    try {
      const left = { from: from + answered, key, signal };
      for await (const answer of sendLines(transport, linesBehind(answered), left)) {
        yield answer;
        answered += 1;
      }
      if (answered < count) lost = outcomeUnknown('the answer ended early');
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof ApiError || error instanceof ProtocolError) throw error;
      if (error instanceof UnreachableError && lost === null) throw error;
      lost = outcomeUnknown(isClientError(error) ? error.message : failureOf(error).reason);
    }
    fruitless = answered > before ? 0 : fruitless + 1;
  }
  for (; answered < count; answered += 1) yield { error: lost ?? outcomeUnknown('no answer came') };
}

async function* sendLines(
  transport: Transport,
  lines: readonly string[],
  { from, key, signal }: BatchRequest,
): AsyncGenerator<BatchLine, void> {
  const response = await transport.send(
    {
      method: 'POST',
      path: `/v1/jobs/batch?from=${from}`,
      body: () => `${lines.join('\n')}\n`,
      headers: {
        'content-type': 'application/x-ndjson',
        accept: 'application/x-ndjson',
        'idempotency-key': key,
      },
      repeat: 'unsent',
      signal,
    },
    (answer) => answer,
  );
  let answered = 0;
  for await (const line of readLines(readChunks(response), ANSWER_LINE_CHARACTERS, 'ndjson')) {
    if (answered === lines.length) throw new ProtocolError('a batch was answered with more lines than it has jobs');
    yield parseAnswer(line);
    answered += 1;
  }
}

function outcomeUnknown(why: string): Problem {
  const detail = `${why}; the job may have been taken or not`;
  return { type: 'about:blank', title: 'Outcome unknown', status: 0, code: 'outcomeUnknown', detail };
}

function parseAnswer(text: string): BatchLine {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && ('id' in value || 'error' in value)) return value as BatchLine;
  } catch (error) {
    if (isClientError(error)) throw error;
  }
  throw new ProtocolError('a line of the answer to a batch is malformed');
}

/** Reads ahead, up to one request. Lines without content are no jobs. */
class LineQueue {
  readonly #source: AsyncIterator<string>;
  readonly #reading: Promise<void>;
  #lines: string[] = [];
  #characters = 0;
  #state: 'reading' | 'ended' | 'stopped' = 'reading';
  #failure: { readonly error: unknown } | null = null;
  #wake: () => void = () => undefined;

  constructor(source: AsyncIterable<string>) {
    this.#source = source[Symbol.asyncIterator]();
    this.#reading = this.#read();
  }

  /** All that is there, at least one line unless the source has ended. @throws what the source threw, after its lines */
  async take(): Promise<readonly string[]> {
    while (this.#lines.length === 0 && this.#state === 'reading') await this.#changed();
    if (this.#lines.length === 0) {
      await this.#reading;
      if (this.#failure !== null) throw this.#failure.error;
    }
    const lines = this.#lines;
    this.#lines = [];
    this.#characters = 0;
    this.#wake();
    return lines;
  }

  stop(): void {
    this.#state = 'stopped';
    this.#wake();
    this.#source.return?.().catch(() => undefined);
  }

  async #read(): Promise<void> {
    try {
      while (this.#state === 'reading') {
        const next = await this.#source.next();
        if (next.done === true) break;
        if (next.value.trim() === '') continue;
        // Between the tokens of JSON a line end is a space, and nowhere else in it may one stand.
        this.#lines.push(next.value.replaceAll('\n', ' '));
        this.#characters += next.value.length + 1;
        this.#wake();
        while (this.#isFull() && this.#state === 'reading') await this.#changed();
      }
    } catch (error) {
      this.#failure = { error };
    } finally {
      if (this.#state === 'reading') this.#state = 'ended';
      this.#wake();
    }
  }

  #isFull(): boolean {
    return this.#lines.length >= REQUEST_JOBS || this.#characters >= REQUEST_CHARACTERS;
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#wake;
      this.#wake = () => {
        this.#wake = () => undefined;
        before();
        resolve();
      };
    });
  }
}
