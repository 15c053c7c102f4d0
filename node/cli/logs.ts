import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import type { ConnectionOptions } from './options.ts';

export interface LogsOptions extends ConnectionOptions {
  readonly follow?: true;
  readonly stdout?: true;
  readonly stderr?: true;
  readonly tail?: number;
  readonly attempt?: number;
}

/** The job's output as it was written, standard error to standard error; with --json an event in a line. */
export async function logs(
  context: CommandContext,
  [id]: readonly [id: string],
  options: LogsOptions,
): Promise<number> {
  const { stdout, stderr } = context;
  const chunks = connect(context, options).jobs.logs(id, {
    stream: options.stdout === true ? 'stdout' : options.stderr === true ? 'stderr' : 'both',
    follow: options.follow === true,
    ...(options.tail === undefined ? {} : { tail: options.tail }),
    ...(options.attempt === undefined ? {} : { attempt: options.attempt }),
  });
  for await (const { data, ...event } of chunks) {
    // What is asked for alone goes where it can be piped on.
    const to = event.stream === 'stderr' && options.stderr !== true ? stderr : stdout;
    if (options.json === true) await stdout.json({ ...event, base64: data.toBase64() });
    else await to.write(data);
    if (stdout.closed) break;
  }
  return EXIT.done;
}
