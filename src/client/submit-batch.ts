import type { BatchLine, Problem } from '../api/views.ts';
import { BatchNames } from './batch-names.ts';
import { ApiError, isClientError, OutcomeUnknownError, ProtocolError, UnreachableError } from './client-error.ts';
import { readLines } from './event-stream.ts';
import { failureOf } from './network-failure.ts';
import { readChunks } from './read-body.ts';
import type { Transport } from './transport.ts';

export interface BatchOptions {
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
 * A line whose answer was lost with the connection is answered with the code `outcomeUnknown` and never sent again: it
 * may have been taken. What depends on one that was not taken for certain, by its `ref`, is refused.
 * @throws ApiError when a node refuses a whole request; UnreachableError; or the signal's reason. What was yielded stands
 */
export async function* submitLines(
  transport: Transport,
  lines: AsyncIterable<string>,
  options: BatchOptions = {},
): AsyncGenerator<BatchLine, void> {
  const queue = new LineQueue(lines);
  const names = new BatchNames();
  try {
    for (;;) {
      const taken = await queue.take();
      if (taken.length === 0) return;
      yield* submitNamed(transport, taken, names, options.signal);
    }
  } finally {
    queue.stop();
  }
}

/** One request, but for the lines that are refused here. */
async function* submitNamed(
  transport: Transport,
  lines: readonly string[],
  names: BatchNames,
  signal: AbortSignal | undefined,
): AsyncGenerator<BatchLine, void> {
  const prepared = lines.map((line) => names.prepare(line));
  const sent = prepared.flatMap((line) => (line.kind === 'send' ? [line.text] : []));
  const answers = sent.length === 0 ? null : submitRequest(transport, sent, signal);
  try {
    for (const line of prepared) {
      const answer = line.kind === 'refused' ? { error: line.error } : await nextOf(answers);
      if (line.kind === 'send' && line.ref !== null) names.note(line.ref, answer);
      yield answer;
    }
    // There it checks that nothing follows.
    await answers?.next();
  } finally {
    await answers?.return();
  }
}

async function nextOf(answers: AsyncGenerator<BatchLine, void> | null): Promise<BatchLine> {
  const next = await answers?.next();
  if (next?.done !== false) throw new ProtocolError('a batch was answered with fewer lines than it has jobs');
  return next.value;
}

async function* submitRequest(
  transport: Transport,
  lines: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<BatchLine, void> {
  let answered = 0;
  let lost: Problem;
  try {
    const response = await transport.send(
      {
        method: 'POST',
        path: '/v1/jobs/batch',
        body: () => `${lines.join('\n')}\n`,
        headers: { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' },
        repeat: 'unsent',
        signal,
      },
      (answer) => answer,
    );
    for await (const line of readLines(readChunks(response), ANSWER_LINE_CHARACTERS, 'ndjson')) {
      if (answered === lines.length) throw new ProtocolError('a batch was answered with more lines than it has jobs');
      yield parseAnswer(line);
      answered += 1;
    }
    if (answered === lines.length) return;
    lost = outcomeUnknown('the answer ended early');
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ApiError || error instanceof UnreachableError || error instanceof ProtocolError) throw error;
    lost = outcomeUnknown(error instanceof OutcomeUnknownError ? error.message : failureOf(error).reason);
  }
  for (; answered < lines.length; answered += 1) yield { error: lost };
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
