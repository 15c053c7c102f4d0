import type { Problem } from '../../src/api/views.ts';
import { assert, Rejection, unreachable } from '../../src/errors.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import { LIMITS } from '../../src/limits.ts';
import type { SubmitItem, SubmitResult } from '../core.ts';
import { splitBatch } from './batch-splitter.ts';
import type { BatchText, LineTrouble } from './batch-splitter.ts';
import { parseJson } from './input.ts';
import { problem, problemOf } from './problem.ts';

/** Chunks of one batch that wait for their quorum at once: enough to keep the log busy while the next is read. */
const CHUNKS_IN_FLIGHT = 4;
/**
 * Answers of one batch that its client has not taken yet, in bytes. Many clients send all before they read the first
 * answer; past this the reading stops until they do read.
 */
const ANSWER_BACKLOG_BYTES = 2 * 1024 * 1024;

export interface BatchDependencies {
  readonly checkSpec: (value: unknown) => JobSpec;
  readonly submit: (items: readonly SubmitItem[]) => Promise<readonly SubmitResult[]>;
  /** Told how many lines of a chunk came out how. */
  readonly onAnswered: (accepted: number, refused: number) => void;
  /** Told of an error for which the client only learns a request id. */
  readonly onError: (error: unknown) => void;
}

export interface BatchOptions {
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/** Lines read and not yet proposed; for each line its error, or null for the next of `items`. */
interface Chunk {
  readonly items: SubmitItem[];
  readonly errors: (Problem | null)[];
}

/**
 * Reads jobs, proposes them in chunks and yields the answers in order while it reads. It reads no further while too
 * many chunks are under way or the answers are not taken.
 */
export async function* runBatch(
  dependencies: BatchDependencies,
  input: AsyncIterable<Buffer>,
  options: BatchOptions,
): AsyncGenerator<string, void> {
  const splitter = splitBatch(LIMITS.batchLineBytes);
  const changed = new Changed();
  const answers: Promise<string>[] = [];
  let chunk = emptyChunk();
  let jobs = 0;
  let inFlight = 0;
  let backlogBytes = 0;
  let reading: 'on' | 'ended' | 'stopped' = 'on';

  function propose(): void {
    if (chunk.errors.length === 0 || reading === 'stopped') return;
    const proposed = chunk;
    chunk = emptyChunk();
    inFlight += 1;
    answers.push(
      answerOf(proposed, dependencies, options.requestId).then((text) => {
        inFlight -= 1;
        backlogBytes += text.length;
        // What came meanwhile goes out at once instead of waiting to be a full chunk.
        if (inFlight === 0) propose();
        changed.tell();
        return text;
      }),
    );
    changed.tell();
  }

  async function takeTexts(): Promise<void> {
    for (let text = splitter.next(); text !== null && reading === 'on'; text = splitter.next()) {
      jobs += 1;
      if (jobs > LIMITS.batchJobs) text = TOO_MANY;
      addText(chunk, text, dependencies.checkSpec);
      if (typeof text !== 'string' && text.kind === 'broken') reading = 'ended';
      if (chunk.errors.length < LIMITS.batchChunkJobs) continue;
      propose();
      while (reading === 'on' && (inFlight >= CHUNKS_IN_FLIGHT || backlogBytes >= ANSWER_BACKLOG_BYTES)) {
        await changed.next();
      }
    }
  }

  async function read(): Promise<void> {
    for await (const bytes of input) {
      splitter.push(bytes);
      await takeTexts();
      if (reading !== 'on') break;
      if (inFlight === 0) propose();
    }
    splitter.end();
    await takeTexts();
  }

  function finishReading(): void {
    propose();
    if (reading === 'on') reading = 'ended';
    changed.tell();
  }

  function stop(): void {
    reading = 'stopped';
    changed.tell();
  }

  options.signal.addEventListener('abort', stop, { once: true });
  const readToEnd = read().then(
    () => {
      finishReading();
      return null;
    },
    (error: unknown) => {
      finishReading();
      return { error };
    },
  );
  try {
    for (;;) {
      const next = answers.shift();
      if (next !== undefined) {
        const text = await next;
        yield text;
        backlogBytes -= text.length;
        changed.tell();
      } else if (reading === 'on' || (reading === 'ended' && chunk.errors.length > 0)) {
        await changed.next();
      } else {
        break;
      }
    }
  } finally {
    stop();
    options.signal.removeEventListener('abort', stop);
  }
  // Of a stopped run the reader may hang until the connection ends; nobody waits for it.
  options.signal.throwIfAborted();
  const failure = await readToEnd;
  if (failure !== null) throw failure.error;
}

const TOO_MANY: LineTrouble = {
  kind: 'broken',
  detail: `a batch holds at most ${LIMITS.batchJobs} jobs; this one and what follows was not taken`,
};

function emptyChunk(): Chunk {
  return { items: [], errors: [] };
}

function addText(chunk: Chunk, text: BatchText, checkSpec: BatchDependencies['checkSpec']): void {
  if (typeof text !== 'string') {
    chunk.errors.push(problemOfTrouble(text));
    return;
  }
  try {
    chunk.items.push({ spec: checkSpec(parseJson(text)), idempotency: null });
    chunk.errors.push(null);
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    chunk.errors.push(problem(error.code, error.message, error.details));
  }
}

function problemOfTrouble(trouble: LineTrouble): Problem {
  switch (trouble.kind) {
    case 'oversized':
      return problem('tooLarge', `the job is larger than ${LIMITS.batchLineBytes} bytes`, {
        limit: { name: 'batchLineBytes', value: LIMITS.batchLineBytes },
      });
    case 'notUtf8':
      return problem('invalidRequest', 'the job is not UTF-8');
    case 'broken':
      if (trouble === TOO_MANY) {
        return problem('tooLarge', trouble.detail, { limit: { name: 'batchJobs', value: LIMITS.batchJobs } });
      }
      return problem('invalidRequest', trouble.detail);
    default:
      return unreachable(trouble);
  }
}

/** Never rejects: what goes wrong with a chunk is told in each of its lines. */
async function answerOf(chunk: Chunk, dependencies: BatchDependencies, requestId: string): Promise<string> {
  let results: readonly SubmitResult[] = [];
  let failure: Problem | null = null;
  try {
    if (chunk.items.length > 0) results = await dependencies.submit(chunk.items);
    assert(results.length === chunk.items.length, 'the core answers every item of a chunk');
  } catch (error) {
    failure = problemOf(error, requestId);
    dependencies.onError(error);
  }
  let text = '';
  let accepted = 0;
  let item = 0;
  for (const error of chunk.errors) {
    const result = error === null ? results[item++] : undefined;
    if (result?.ok === true && failure === null) {
      accepted += 1;
      text += `{"id":"${result.id}"}\n`;
    } else {
      text += errorLine(error ?? failure ?? problemOfResult(result));
    }
  }
  dependencies.onAnswered(accepted, chunk.errors.length - accepted);
  return text;
}

function problemOfResult(result: SubmitResult | undefined): Problem {
  assert(result?.ok === false, 'only a refused result has a problem');
  return problem(result.code, result.message, result.field === undefined ? {} : { field: result.field });
}

/** The last line of a batch whose reading failed. */
export function errorLine(told: Problem): string {
  return `${JSON.stringify({ error: told })}\n`;
}

/** Wakes whoever waits for something of the run to change. */
class Changed {
  #waiters: (() => void)[] = [];

  next(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  tell(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
