import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import type { ConnectionOptions } from './options.ts';

export async function retry(
  context: CommandContext,
  [id]: readonly [id: string],
  options: ConnectionOptions,
): Promise<number> {
  const job = await connect(context, options).jobs.retry(id);
  await (options.json === true ? context.stdout.json(job) : context.stdout.line(`${job.id} ${job.state}`));
  return EXIT.done;
}
