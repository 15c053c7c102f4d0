import type { JobSpec } from '../../src/jobs/spec.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { filesFromFlags, withFiles } from './files-from-flags.ts';
import type { ConnectionOptions, FileOptions, SpecOptions } from './options.ts';
import { readSpec } from './read-spec.ts';
import { specFromFlags } from './spec-from-flags.ts';
import { UsageError } from './usage-error.ts';

export interface SubmitOptions extends ConnectionOptions, SpecOptions, FileOptions {
  readonly file?: string;
  readonly idempotencyKey?: string;
}

export async function submit(
  context: CommandContext,
  [command]: readonly [command: readonly string[]],
  options: SubmitOptions,
): Promise<number> {
  const { file, idempotencyKey } = options;
  if (file === undefined && command.length === 0) {
    throw new UsageError('nothing to submit', 'quorate submit -- COMMAND, or --file FILE with a job spec');
  }
  if (file === '-' && options.stdin === '-') throw new UsageError('--file and --stdin cannot both read standard input');
  const client = connect(context, options);
  const flags = withFiles(
    await specFromFlags(context, command, options),
    await filesFromFlags(context, client, options),
  );
  const spec = file === undefined ? flags : { ...(await readSpec(context, file)), ...flags };
  const job = await client.jobs.submit(spec as JobSpec, idempotencyKey === undefined ? {} : { idempotencyKey });
  await (options.json === true ? context.stdout.json(job) : context.stdout.line(job.id));
  return EXIT.done;
}
