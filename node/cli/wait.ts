import { isFinalView, type JobView } from '../../src/api/views.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { durationOf } from './duration-flag.ts';
import { EXIT } from './exit-codes.ts';
import { formatCount } from './format.ts';
import { untilInterrupted } from './interrupt.ts';
import { describeEnd } from './job-exit.ts';
import type { ConnectionOptions, QuietOption } from './options.ts';
import { plain } from './plain-text.ts';
import { Progress } from './progress.ts';
import { errorFormat, tell } from './tell-error.ts';
import { waitForAll } from './wait-for-all.ts';

export interface WaitCommandOptions extends ConnectionOptions, QuietOption {
  readonly timeout?: string;
}

/** Tells of the jobs in the order in which they were named, each as soon as those before it have ended. */
export async function wait(
  context: CommandContext,
  [ids]: readonly [ids: readonly string[]],
  options: WaitCommandOptions,
): Promise<number> {
  const client = connect(context, options);
  const { timeout, quiet } = options;
  const endsAt = timeout === undefined ? {} : { endsAt: performance.now() + durationOf('--timeout', timeout) };
  const progress = new Progress(context, { what: 'ended', total: ids.length, ...(quiet === true ? { quiet } : {}) });
  const ended = new Map<string, JobView>();
  let told = 0;
  const tellNext = async (): Promise<void> => {
    for (let job = ended.get(ids[told] ?? ''); job !== undefined; job = ended.get(ids[told] ?? '')) {
      told += 1;
      await tellOne(context, options, progress, job);
    }
  };
  const work = async (signal: AbortSignal): Promise<number> => {
    try {
      // Once a node has answered, a wait outlasts the absence of all for a while; at first it tells that nobody is there.
      await client.jobs.get(ids[0] ?? '', { signal });
      await waitForAll(client, [...new Set(ids)], {
        ...endsAt,
        signal,
        progress,
        onEnd(job) {
          ended.set(job.id, job);
          return tellNext();
        },
      });
    } finally {
      progress.stop();
    }
    return [...ended.values()].every(({ state }) => state === 'succeeded') ? EXIT.done : EXIT.failed;
  };
  return untilInterrupted(context, work, (exitCode) => {
    const left = ids.filter((id) => !ended.has(id));
    return tell(context.stderr, leftWaiting(left, exitCode), errorFormat(options));
  });
}

async function tellOne(
  { stdout, stderr }: CommandContext,
  options: WaitCommandOptions,
  progress: Progress,
  job: JobView,
): Promise<void> {
  if (options.json === true) await progress.line(stdout, JSON.stringify(job));
  else if (isFinalView(job)) await progress.line(stdout, `${job.id} ${plain(describeEnd(job))}`);
  if (isFinalView(job)) return;
  progress.clear();
  const what = `job ${job.id} is still ${job.state}`;
  await tell(
    stderr,
    { what, code: 'timedOut', next: `quorate explain ${job.id}`, exitCode: EXIT.failed },
    errorFormat(options),
  );
}

/** Jobs that are named in a command to type; more do not help. */
const NAMED_MAX = 5;

/** @param left the ids of those that have not ended; they do not notice that nobody waits any more */
export function leftWaiting(left: readonly string[], exitCode: number) {
  const named = left.length <= NAMED_MAX ? left.join(' ') : 'ID…';
  const what = `stopped waiting for ${formatCount(left.length, 'job')}, which go${left.length === 1 ? 'es' : ''} on`;
  return { what, code: 'interrupted', next: `quorate wait ${named}, or quorate cancel ${named}`, exitCode };
}
