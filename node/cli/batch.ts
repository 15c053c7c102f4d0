import type { Problem } from '../../src/api/views.ts';
import { readLines } from '../../src/client/event-stream.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { countLines } from './count-lines.ts';
import { EXIT } from './exit-codes.ts';
import { formatCount } from './format.ts';
import type { ConnectionOptions } from './options.ts';
import type { Output } from './output.ts';
import { plain } from './plain-text.ts';
import { startProgress } from './progress.ts';
import { nameOf, openInput } from './read-input.ts';
import { UsageError } from './usage-error.ts';
import { waitForAll } from './wait-for-all.ts';

export interface BatchCommandOptions extends ConnectionOptions {
  readonly wait?: true;
}

/** Longer lines than any spec are not read. */
const LINE_MAX_CHARACTERS = 16 * 1024 * 1024;
/** Errors that are told one by one; the rest is counted. */
const TOLD_ERRORS = 20;

export async function batch(
  context: CommandContext,
  [file]: readonly [file: string],
  options: BatchCommandOptions,
): Promise<number> {
  const client = connect(context, options);
  const { stdout, stderr } = context;
  const input = await openInput(file, context.stdin);
  const total = stderr.isTerminal && file !== '-' ? await countLines(file) : null;
  const progress = await startProgress(stderr, 'submitted', total);
  const ids: string[] = [];
  const errors = new ErrorTally();
  const onScreen = new AfterProgress(context);
  let jobs = 0;
  try {
    for await (const line of client.jobs.submitLines(
      withoutArray(readLines(input, LINE_MAX_CHARACTERS, 'ndjson'), file),
    )) {
      jobs += 1;
      progress.advance(1);
      if (options.json === true) await onScreen.tell(stdout, JSON.stringify(line));
      if ('error' in line) await onScreen.tell(stderr, errors.add(jobs, line.error));
      else if (options.json !== true) await onScreen.tell(stdout, line.id);
      if ('id' in line && options.wait === true) ids.push(line.id);
    }
  } finally {
    progress.stop();
    input.destroy();
    await onScreen.finish();
  }
  if (errors.count > 0) await stderr.line(errors.summary(jobs));
  const allWell = await waitForAll(client, ids, { stderr });
  if (errors.count > 0) return EXIT.refused;
  return allWell ? EXIT.done : EXIT.failed;
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

/** Lines for a terminal that shows a progress bar wait until it is gone; others go out at once. */
class AfterProgress {
  readonly #barIsShown: boolean;
  #held: (readonly [Output, string])[] = [];

  constructor({ stderr }: CommandContext) {
    this.#barIsShown = stderr.isTerminal;
  }

  async tell(output: Output, line: string | null): Promise<void> {
    if (line === null) return;
    if (this.#barIsShown && output.isTerminal) this.#held.push([output, line]);
    else await output.line(line);
  }

  async finish(): Promise<void> {
    for (const [output, line] of this.#held) await output.line(line);
    this.#held = [];
  }
}

/** Tells the first errors by their place among the jobs, and how many there were. */
class ErrorTally {
  count = 0;

  add(job: number, { code, detail }: Problem): string | null {
    this.count += 1;
    return this.count > TOLD_ERRORS ? null : `quorate: job ${job}: ${plain(detail)} (${plain(code)})`;
  }

  summary(jobs: number): string {
    const refused = `${this.count} of ${formatCount(jobs, 'job')} were not taken for certain`;
    const more = this.count > TOLD_ERRORS ? `; the first ${TOLD_ERRORS} are told above` : '';
    return `quorate: ${refused}${more}\n  next: mend and submit those again; with --json each line tells its error`;
  }
}
