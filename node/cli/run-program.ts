import { type Command, CommanderError } from 'commander';
import { type CommandContext, processContext } from './command-context.ts';
import { EXIT } from './exit-codes.ts';
import { buildProgram } from './program.ts';

/** Parses the arguments, runs their command, tells what went wrong, and ends the process with the right code. */
export async function runProgram(args: readonly string[]): Promise<never> {
  const context = processContext();
  const code = await exitCodeOf(context, args);
  // What cannot be told to either any more has nobody to be told to.
  await Promise.allSettled([context.stdout.flush(), context.stderr.flush()]);
  process.exit(code);
}

async function exitCodeOf(context: CommandContext, args: readonly string[]): Promise<number> {
  let code: number = EXIT.done;
  const program = buildProgram(context, (ended) => {
    code = ended;
  });
  const format = asksForJson(args) ? 'json' : 'text';
  if (format === 'json') silence(program);
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    const { tellError } = await import('./tell-error.ts');
    if (!(error instanceof CommanderError)) return tellError(context.stderr, error, { format });
    if (format === 'json')
      await tellError(context.stderr, await usageErrorOf(error, `${pathOf(program, args)} --help`), { format });
    return EXIT.usage;
  }
}

/** Before anything is parsed: what stands behind `--` is another command's. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end === -1 ? args : args.slice(0, end)).includes('--json');
}

/** The parser's own text about errors is not JSON. */
function silence(program: Command): void {
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.configureOutput({ writeErr: () => undefined });
  }
}

/** The command that was named, with those above it: the words that lead to it. */
function pathOf(program: Command, args: readonly string[]): string {
  let named: Command = program;
  const path = ['quorate'];
  for (const word of args) {
    const next = named.commands.find((command) => command.name() === word);
    if (next === undefined) continue;
    named = next;
    path.push(word);
  }
  return path.join(' ');
}

async function usageErrorOf({ code, message }: CommanderError, next: string): Promise<Error> {
  const { UsageError } = await import('./usage-error.ts');
  const what = message.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\?\)$/, '; did you mean $1?');
  return new UsageError(code === 'commander.help' ? 'no command was named' : what, next);
}
