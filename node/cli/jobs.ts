import type { AttemptView, JobView } from '../../src/api/views.ts';
import type { JobQuery } from '../../src/client/jobs-client.ts';
import type { JobState } from '../../src/jobs/job.ts';
import { LIMITS } from '../../src/limits.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { formatCommand, formatDuration } from './format.ts';
import type { ConnectionOptions } from './options.ts';
import { plain } from './plain-text.ts';
import { pairs } from './spec-from-flags.ts';
import { table } from './table.ts';
import { cut } from './text-width.ts';

export interface JobsOptions extends ConnectionOptions {
  readonly state?: JobState;
  readonly queue?: string;
  readonly project?: string;
  readonly name?: string;
  readonly group?: string;
  readonly parent?: string;
  readonly schedule?: string;
  readonly label?: readonly string[];
  readonly limit?: number;
  readonly all?: true;
}

const DEFAULT_LIMIT = 50;
const WHAT_WIDTH = 48;
const HEADING = ['ID', 'STATE', 'EXIT', 'TRY', 'AGE', 'RAN', 'QUEUE', 'WHAT'];

export async function jobs(context: CommandContext, _operands: readonly [], options: JobsOptions): Promise<number> {
  const client = connect(context, options);
  const limit = options.all === true ? Infinity : (options.limit ?? DEFAULT_LIMIT);
  const found: JobView[] = [];
  let more = false;
  // Pages may be shorter than asked for, also empty, where the filter passes few.
  for await (const job of client.jobs.all(queryOf(options, limit))) {
    more = found.length === limit;
    if (more) break;
    if (options.json === true) await context.stdout.json(job);
    if (context.stdout.closed) return EXIT.done;
    found.push(job);
  }
  if (options.json === true) return EXIT.done;
  const now = Date.now();
  await context.stdout.line(
    table(
      HEADING,
      found.map((job) => rowOf(job, now)),
      context.stdout.columns,
    ),
  );
  if (more) await context.stderr.line(`There are more than these ${limit}: --limit N, or --all`);
  return EXIT.done;
}

function queryOf(options: JobsOptions, limit: number): JobQuery {
  const { state, queue, project, name, group, parent, schedule, label } = options;
  return {
    ...(state === undefined ? {} : { state }),
    ...(queue === undefined ? {} : { queue }),
    ...(project === undefined ? {} : { project }),
    ...(name === undefined ? {} : { name }),
    ...(group === undefined ? {} : { group }),
    ...(parent === undefined ? {} : { parent }),
    ...(schedule === undefined ? {} : { schedule }),
    ...(label === undefined ? {} : { labels: pairs('--label', label, () => undefined) }),
    // One beyond the limit tells whether there are more.
    limit: Math.min(limit + 1, LIMITS.listMax),
  };
}

function rowOf(job: JobView, now: number): readonly string[] {
  const what = job.spec.name ?? formatCommand(job.spec.command);
  return [
    job.id,
    job.state,
    job.exitCode === null ? (job.signal ?? '') : String(job.exitCode),
    job.attempts.length === 0 ? '' : String(job.attempts.length),
    formatDuration(now - Date.parse(job.submittedAt)),
    ranFor(job.attempts.at(-1), now),
    job.queue,
    cut(plain(what), WHAT_WIDTH),
  ];
}

function ranFor(attempt: AttemptView | undefined, now: number): string {
  if (attempt === undefined || attempt.startedAt === null) return '';
  const end = attempt.endedAt === null ? now : Date.parse(attempt.endedAt);
  return formatDuration(end - Date.parse(attempt.startedAt));
}
