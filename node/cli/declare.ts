import type { Command } from 'commander';
import type { CommandContext } from './command-context.ts';
import { connectionOptions } from './options.ts';

/** What it takes to add commands to the tree. */
export interface Declare {
  readonly program: Command;
  readonly context: CommandContext;
  /** Told the exit code of the command that ran. */
  readonly onEnd: (exitCode: number) => void;
}

/** A command that asks a cluster. */
export function clientCommand(declare: Declare, usage: string, description: string): Command {
  return connectionOptions(declare.program.command(usage).description(description));
}

/**
 * Connects a command to the function in its file. The function gets the context, the operands and the options that were
 * given, those before the command's name included; it answers with the exit code.
 */
export function does<Operands extends readonly unknown[], Options>(
  declare: Declare,
  command: Command,
  load: () => Promise<(context: CommandContext, operands: Operands, options: Options) => Promise<number>>,
): Command {
  return command.action(async (...args: unknown[]) => {
    const perform = await load();
    // Commander calls with the operands, then the options, then the command.
    const operands = args.slice(0, -2) as unknown as Operands;
    const options = { ...declare.program.opts(), ...givenOptions(command) } as Options;
    declare.onEnd(await codeOf(declare, command, () => perform(declare.context, operands, options), options ?? {}));
  });
}

/** What the command ended with, or was told to have failed with: in JSON where the user asked for that. */
async function codeOf(
  { context }: Declare,
  command: Command,
  perform: () => Promise<number>,
  options: object,
): Promise<number> {
  try {
    const code = await perform();
    await context.stdout.flush();
    return code;
  } catch (error) {
    const { errorFormat, tellError } = await import('./tell-error.ts');
    return tellError(context.stderr, error, { format: errorFormat(options), command: firstWordOf(command) });
  }
}

/** The word behind `quorate`. */
function firstWordOf(command: Command): string {
  const above = command.parent;
  return above === null || above.parent === null ? command.name() : firstWordOf(above);
}

/** Without the values that commander makes up for options that were not given. */
function givenOptions(command: Command): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(command.opts()).filter(([name]) => command.getOptionValueSource(name) === 'cli'),
  );
}
