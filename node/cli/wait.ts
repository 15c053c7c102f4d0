import { isFinalView } from '../../src/api/views.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { describeEnd } from './job-exit.ts';
import type { ConnectionOptions } from './options.ts';
import { plain } from './plain-text.ts';
import { durationOf } from './duration-flag.ts';

export interface WaitCommandOptions extends ConnectionOptions {
  readonly timeout?: string;
}

export async function wait(
  context: CommandContext,
  [ids]: readonly [ids: readonly string[]],
  options: WaitCommandOptions,
): Promise<number> {
  const client = connect(context, options);
  const { stdout, stderr } = context;
  const endsAt = options.timeout === undefined ? null : performance.now() + durationOf('--timeout', options.timeout);
  let allWell = true;
  // One after another: the last to end decides when this ends, in whatever order they are asked.
  for (const id of ids) {
    const job = await client.jobs.wait(
      id,
      endsAt === null ? {} : { timeoutMs: Math.max(0, endsAt - performance.now()) },
    );
    if (options.json === true) await stdout.json(job);
    if (!isFinalView(job)) await stderr.line(`quorate: job ${job.id} is still ${job.state} (timedOut)`);
    else if (options.json !== true) await stdout.line(`${job.id} ${plain(describeEnd(job))}`);
    allWell &&= job.state === 'succeeded';
  }
  return allWell ? EXIT.done : EXIT.failed;
}
