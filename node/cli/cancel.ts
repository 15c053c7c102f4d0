import { isFinalView } from '../../src/api/views.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import type { ConnectionOptions } from './options.ts';
import { errorFormat, tellError } from './tell-error.ts';

export interface CancelOptions extends ConnectionOptions {
  readonly queued?: true;
}

/** Asks for each, also when one is refused; the exit code is that of the first refusal. */
export async function cancel(
  context: CommandContext,
  [ids]: readonly [ids: readonly string[]],
  options: CancelOptions,
): Promise<number> {
  const client = connect(context, options);
  let code: number = EXIT.done;
  for (const id of ids) {
    try {
      const job = await client.jobs.cancel(id, { mode: options.queued === true ? 'queued' : 'any' });
      if (options.json === true) await context.stdout.json(job);
      else await context.stdout.line(`${job.id} ${isFinalView(job) ? job.state : 'is being cancelled'}`);
    } catch (error) {
      const told = await tellError(context.stderr, error, { format: errorFormat(options), command: 'cancel' });
      if (code === EXIT.done) code = told;
      if (told === EXIT.unreachable) return told;
    }
  }
  return code;
}
