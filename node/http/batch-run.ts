import type { Problem } from '../../src/api/views.ts';
import { assert, Rejection, unreachable } from '../../src/errors.ts';
import type { JobId } from '../../src/ids.ts';
import { nameOfLine } from '../../src/jobs/batch-line.ts';
import { checkBatchLine } from '../../src/jobs/edge.ts';
import type { BatchKey } from '../../src/state/commands.ts';
import { LIMITS } from '../../src/limits.ts';
import type { SubmitItem, SubmitResult } from '../core.ts';
import { type ChunkLine, settleLine, submitChunk } from './batch-chunk.ts';
import { splitBatch } from './batch-splitter.ts';
import type { BatchText, LineTrouble } from './batch-splitter.ts';
import { parseJson } from './input.ts';
import { LineNames, type NameBudget, type NamedLine } from './line-names.ts';
import { problem, problemOf } from './problem.ts';

/** Chunks of one batch that wait for their quorum at once: enough to keep the log busy while the next is read. */
const CHUNKS_IN_FLIGHT = 4;
/**
 * Answers of one batch that its client has not taken yet, in bytes. Many clients send all before they read the first
 * answer; past this the reading stops until they do read.
 */
const ANSWER_BACKLOG_BYTES = 2 * 1024 * 1024;

export interface BatchDependencies {
  /** @param line counted from 1, over all requests of the batch */
  readonly identify: (line: number) => LineIdentity;
  readonly nameBudget: NameBudget;
  readonly submit: (items: readonly SubmitItem[]) => Promise<readonly SubmitResult[]>;
  /** Told how many lines of a chunk came out how. */
  readonly onAnswered: (accepted: number, refused: number) => void;
  /** Told of an error for which the client only learns a request id. */
  readonly onError: (error: unknown) => void;
}

/** The id of a line's job, and the key under which it may be repeated, if there is one. */
export interface LineIdentity {
  readonly id: JobId;
  readonly batch?: BatchKey;
}

export interface BatchOptions {
  /** The number of the first line. */
  readonly from: number;
  readonly requestId: string;
  readonly signal: AbortSignal;
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
  const names = new LineNames(dependencies.nameBudget);
  const changed = new Changed();
  const answers: Promise<string>[] = [];
  let chunk: ChunkLine[] = [];
  /** Settles when all that was proposed has its outcome. */
  let decided: Promise<unknown> = Promise.resolve();
  let jobs = options.from - 1;
  let inFlight = 0;
  let backlogBytes = 0;
  let reading: 'on' | 'ended' | 'stopped' = 'on';

  function propose(): void {
    if (chunk.length === 0 || reading === 'stopped') return;
    const proposed = chunk;
    chunk = [];
    inFlight += 1;
    const submitted = submitChunk(proposed, decided, {
      names,
      submit: dependencies.submit,
      problemOf(error) {
        dependencies.onError(error);
        return problemOf(error, options.requestId);
      },
    });
    decided = Promise.all([decided, submitted]);
    answers.push(
      submitted.then(() => {
        const text = answerOf(proposed, dependencies);
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
      chunk.push(readLine(text, names, dependencies.identify(Math.min(jobs, LIMITS.batchJobs))));
      if (typeof text !== 'string' && text.kind === 'broken') reading = 'ended';
      if (chunk.length < LIMITS.batchChunkJobs) continue;
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
      } else if (reading === 'on' || (reading === 'ended' && chunk.length > 0)) {
        await changed.next();
      } else {
        break;
      }
    }
  } finally {
    stop();
    options.signal.removeEventListener('abort', stop);
    names.release();
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

/** A line that is wrong has a name all the same, so that those that name it are told what became of it. */
function readLine(text: BatchText, names: LineNames, identity: LineIdentity): ChunkLine {
  if (typeof text !== 'string') return refusedLine(identity, null, problemOfTrouble(text));
  let name: NamedLine | null = null;
  try {
    const value = parseJson(text);
    const given = nameOfLine(value);
    if (given !== null) name = names.add(given, identity.id);
    const spec = checkBatchLine(value);
    names.check(spec, name);
    return { ...identity, spec, name, outcome: null };
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return refusedLine(identity, name, problem(error.code, error.message, error.details));
  }
}

function refusedLine(identity: LineIdentity, name: NamedLine | null, error: Problem): ChunkLine {
  const line: ChunkLine = { ...identity, spec: null, name, outcome: null };
  settleLine(line, { kind: 'refused', error });
  return line;
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

function answerOf(lines: readonly ChunkLine[], { onAnswered }: BatchDependencies): string {
  let text = '';
  let accepted = 0;
  for (const { outcome } of lines) {
    assert(outcome !== null, 'each line of a chunk has an outcome');
    if (outcome.kind === 'taken') {
      accepted += 1;
      text += `{"id":"${outcome.id}"}\n`;
    } else text += errorLine(outcome.error);
  }
  onAnswered(accepted, lines.length - accepted);
  return text;
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
