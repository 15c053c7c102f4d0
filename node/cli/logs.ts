import type { QuorateClient } from '../../src/client/client.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { untilInterrupted } from './interrupt.ts';
import type { ConnectionOptions } from './options.ts';
import { errorFormat, tell } from './tell-error.ts';

export interface LogsOptions extends ConnectionOptions {
  readonly follow?: true;
  readonly stdout?: true;
  readonly stderr?: true;
  readonly tail?: number;
  readonly attempt?: number;
}

/** The job's output as it was written, standard error to standard error; with --json an event in a line. */
export function logs(context: CommandContext, [id]: readonly [id: string], options: LogsOptions): Promise<number> {
  const client = connect(context, options);
  return untilInterrupted(
    context,
    (signal) => show(context, client, id, options, signal),
    async (exitCode) => {
      if (options.follow !== true) return exitCode;
      const next = `quorate logs -f ${id}, quorate cancel ${id}`;
      const told = { what: `stopped following job ${id}, which goes on`, code: 'interrupted', next, exitCode };
      return tell(context.stderr, told, errorFormat(options));
    },
  );
}

async function show(
  { stdout, stderr }: CommandContext,
  client: QuorateClient,
  id: string,
  options: LogsOptions,
  signal: AbortSignal,
): Promise<number> {
  // Once a node has answered, following outlasts the absence of all for a while; at first it tells that nobody is there.
  await client.jobs.get(id, { signal });
  const chunks = client.jobs.logs(id, {
    stream: options.stdout === true ? 'stdout' : options.stderr === true ? 'stderr' : 'both',
    follow: options.follow === true,
    ...(options.tail === undefined ? {} : { tail: options.tail }),
    ...(options.attempt === undefined ? {} : { attempt: options.attempt }),
    signal,
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
