import type { BatchLine, JobView, Problem } from '../../src/api/views.ts';
import type { QuorateClient } from '../../src/client/client.ts';
import { readLines } from '../../src/client/event-stream.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { countLines } from './count-lines.ts';
import { EXIT } from './exit-codes.ts';
import { formatCount } from './format.ts';
import { untilInterrupted } from './interrupt.ts';
import { describeEnd } from './job-exit.ts';
import type { ConnectionOptions, QuietOption } from './options.ts';
import { plain } from './plain-text.ts';
import { Progress } from './progress.ts';
import { nameOf, openInput } from './read-input.ts';
import { errorFormat, tell, type Told } from './tell-error.ts';
import { UsageError } from './usage-error.ts';
import { leftWaiting } from './wait.ts';
import { waitForAll } from './wait-for-all.ts';

export interface BatchCommandOptions extends ConnectionOptions, QuietOption {
  readonly wait?: true;
  readonly idempotencyKey?: string;
}

/** Longer lines than any spec are not read. */
const LINE_MAX_CHARACTERS = 16 * 1024 * 1024;
/** Errors and failures that are told one by one; the rest is counted. */
const TOLD_MAX = 20;

export function batch(
  context: CommandContext,
  [file]: readonly [file: string],
  options: BatchCommandOptions,
): Promise<number> {
  const run = new BatchRun(context, connect(context, options), options);
  return untilInterrupted(
    context,
    (signal) => run.toItsEnd(file, signal),
    (exitCode) => tell(context.stderr, run.whatIsLeft(exitCode), errorFormat(options)),
  );
}

class BatchRun {
  readonly #context: CommandContext;
  readonly #client: QuorateClient;
  readonly #options: BatchCommandOptions;
  #answered = 0;
  #refused = 0;
  #failed = 0;
  /** Of jobs that were taken and have not ended as far as is known; kept only when they are waited for. */
  readonly #going = new Set<string>();
  #state: 'submitting' | 'waiting' = 'submitting';

  constructor(context: CommandContext, client: QuorateClient, options: BatchCommandOptions) {
    this.#context = context;
    this.#client = client;
    this.#options = options;
  }

  async toItsEnd(file: string, signal: AbortSignal): Promise<number> {
    await this.#submit(file, signal);
    const { stderr } = this.#context;
    if (this.#refused > 0) await tell(stderr, this.#refusals(), errorFormat(this.#options));
    if (this.#options.wait === true) await this.#waitForAll(signal);
    if (this.#refused > 0) return EXIT.refused;
    return this.#failed === 0 ? EXIT.done : EXIT.failed;
  }

  whatIsLeft(exitCode: number): Told {
    if (this.#state === 'waiting') return leftWaiting([...this.#going], exitCode);
    const taken = this.#answered - this.#refused;
    const what = `stopped after ${formatCount(taken, 'job')} of the batch ${taken === 1 ? 'was' : 'were'} taken, and maybe some more that were under way; they go on`;
    return { what, code: 'interrupted', next: 'see what was taken: quorate jobs', exitCode };
  }

  async #submit(file: string, signal: AbortSignal): Promise<void> {
    const input = await openInput(file, this.#context.stdin);
    // A source that sends nothing is left too.
    signal.addEventListener('abort', () => void input.destroy());
    const progress = this.#progress('submitted', null);
    if (this.#options.quiet !== true && file !== '-') {
      const counted = countLines(file).then((total) => progress.set(this.#answered, { total }));
      counted.catch(() => undefined);
    }
    try {
      const lines = withoutArray(readLines(input, LINE_MAX_CHARACTERS, 'ndjson'), file);
      for await (const line of this.#client.jobs.submitLines(lines, { ...keyOf(this.#options), signal })) {
        await this.#tellAnswer(line, progress);
        progress.set(this.#answered, { detail: this.#refused === 0 ? '' : `${this.#refused} refused` });
      }
    } finally {
      progress.stop();
      input.destroy();
    }
    signal.throwIfAborted();
  }

  async #tellAnswer(line: BatchLine, progress: Progress): Promise<void> {
    const { stdout, stderr } = this.#context;
    this.#answered += 1;
    if (this.#options.json === true) await progress.line(stdout, JSON.stringify(line));
    else if ('id' in line) await progress.line(stdout, line.id);
    if ('id' in line) {
      if (this.#options.wait === true) this.#going.add(line.id);
      return;
    }
    this.#refused += 1;
    if (this.#options.json === true || this.#refused > TOLD_MAX) return;
    await progress.line(stderr, describeRefusal(this.#answered, line.error));
  }

  #refusals(): Told {
    const what = `${this.#refused} of ${formatCount(this.#answered, 'job')} were not taken for certain`;
    const more =
      this.#refused > TOLD_MAX && this.#options.json !== true ? `; the first ${TOLD_MAX} are told above` : '';
    const next = 'mend and submit those again; with --json each line tells its error';
    return { what: what + more, code: 'batchRefused', next, exitCode: EXIT.refused };
  }

  async #waitForAll(signal: AbortSignal): Promise<void> {
    this.#state = 'waiting';
    const { stderr } = this.#context;
    const ids = [...this.#going];
    const progress = this.#progress('ended', ids.length);
    try {
      await waitForAll(this.#client, ids, { signal, progress, onEnd: (job) => this.#tellEnd(job, progress) });
    } finally {
      progress.stop();
    }
    if (this.#failed === 0) return;
    const what = `${this.#failed} of ${formatCount(ids.length, 'job')} did not succeed`;
    const told = { what, code: 'jobsFailed', next: 'quorate status ID, quorate logs ID', exitCode: EXIT.failed };
    await tell(stderr, told, errorFormat(this.#options));
  }

  async #tellEnd(job: JobView, progress: Progress): Promise<void> {
    const { stdout, stderr } = this.#context;
    this.#going.delete(job.id);
    if (this.#options.json === true) await progress.line(stdout, JSON.stringify(job));
    if (job.state === 'succeeded') return;
    this.#failed += 1;
    if (this.#options.json === true || this.#failed > TOLD_MAX) return;
    await progress.line(stderr, `quorate: job ${job.id} ${plain(describeEnd(job))}`);
  }

  #progress(what: string, total: number | null): Progress {
    const { quiet } = this.#options;
    return new Progress(this.#context, { what, total, ...(quiet === true ? { quiet } : {}) });
  }
}

async function* withoutArray(lines: AsyncIterable<string>, file: string): AsyncGenerator<string, void> {
  let first = true;
  for await (const line of lines) {
    if (first && line.trimStart().startsWith('[')) {
      const next = `one JSON spec in a line is expected: jq -c '.[]' ${file === '-' ? '' : `${file} `}| quorate batch -`;
      throw new UsageError(`${nameOf(file)} is a JSON array`, next);
    }
    first &&= line.trim() === '';
    yield line;
  }
}

/** By its place among the jobs. */
function describeRefusal(job: number, { code, detail }: Problem): string {
  return `quorate: job ${job}: ${plain(detail)} (${plain(code)})`;
}

function keyOf({ idempotencyKey }: BatchCommandOptions): Pick<BatchCommandOptions, 'idempotencyKey'> {
  return idempotencyKey === undefined ? {} : { idempotencyKey };
}
