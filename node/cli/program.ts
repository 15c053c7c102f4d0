import { Command } from 'commander';
import { declareClientCommands } from './client-commands.ts';
import type { CommandContext } from './command-context.ts';
import { declareMendingCommands } from './mending-commands.ts';
import { declareNodeCommands } from './node-commands.ts';
import { connectionOptions } from './options.ts';

/**
 * The tree of commands with their options and help. It loads nothing of what they do: each command's file comes when
 * its action runs, so that the help and the client start fast.
 */
export function buildProgram(context: CommandContext, onEnd: (exitCode: number) => void): Command {
  const program = new Command('quorate')
    .description('A job API on a peer-to-peer cluster: post a job to any node, it runs somewhere.')
    .usage('COMMAND [OPTIONS]')
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .configureOutput({
      outputError: (text, write) => write(describeUsageError(text)),
    })
    .helpCommand('help [COMMAND]', 'show the help of a command')
    .helpOption('-h, --help', 'show this help');
  connectionOptions(program);
  program.addHelpText(
    'after',
    `
Environment:
  QUORATE_URL    addresses of nodes, separated by commas   (http://127.0.0.1:8750)
  QUORATE_TOKEN  the token that is sent

Exit codes: 0 done, 1 the job failed (with run: its own code), 2 usage, 3 no node reachable, 4 refused.

Start here:  quorate dev   then, in another terminal:   quorate run -- echo hi`,
  );
  const declare = { program, context, onEnd };
  declareNodeCommands(declare);
  declareClientCommands(declare);
  declareMendingCommands(declare);
  tellHelpAfterError(program, 'quorate');
  return program;
}

/** @param text of the parser, as `error: unknown option '--frob'` and maybe what was meant in a line of its own */
function describeUsageError(text: string): string {
  return text.replace(/^error: ([^\n]*)(?:\n\(Did you mean ([^)]*)\?\))?/, (_, what: string, meant?: string) => {
    return `quorate: ${what}${meant === undefined ? '' : `; did you mean ${meant}?`} (usage)`;
  });
}

function tellHelpAfterError(command: Command, path: string): void {
  command.showHelpAfterError(`  next: ${path} --help`);
  for (const child of command.commands) tellHelpAfterError(child, `${path} ${child.name()}`);
}
