import { CommanderError } from 'commander';
import { type CommandContext, processContext } from './command-context.ts';
import { EXIT } from './exit-codes.ts';
import { buildProgram } from './program.ts';

/** Parses the arguments, runs their command, tells what went wrong, and ends the process with the right code. */
export async function runProgram(args: readonly string[]): Promise<never> {
  const context = processContext();
  const code = await exitCodeOf(context, args);
  await Promise.all([context.stdout.flush(), context.stderr.flush()]);
  process.exit(code);
}

async function exitCodeOf(context: CommandContext, args: readonly string[]): Promise<number> {
  let code: number = EXIT.done;
  const program = buildProgram(context, (ended) => {
    code = ended;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const { tellError } = await import('./tell-error.ts');
    return tellError(context.stderr, error);
  }
}
