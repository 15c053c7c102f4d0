import { type Declare, does } from './declare.ts';
import { nodeOptions } from './node-options.ts';

export function declareNodeCommands(declare: Declare): void {
  const { program } = declare;
  program.commandsGroup('Nodes:');
  const dev = program
    .command('dev')
    .description('start a cluster of one on this machine that asks for no token')
    .summary('start a cluster of one, for trying things out');
  nodeOptions(dev);
  dev.addHelpText('after', '\nWithout --data everything is in a temporary folder that is removed at the end.');
  does(declare, dev, async () => (await import('./dev.ts')).dev);

  const up = program
    .command('up')
    .description('start a node: the first of a cluster, one that joins, or one that goes on after a stop')
    .summary('start a node of a cluster');
  nodeOptions(up);
  up.addHelpText('after', UP_HELP);
  does(declare, up, async () => (await import('./up.ts')).up);
}

const UP_HELP = `
Settings come from flags, then QUORATE_DATA, QUORATE_HTTP, … (a flag in capitals), then --config, then the addresses
of the last start. A restart needs --data alone. Without --data: $XDG_STATE_HOME/quorate or ~/.local/state/quorate.

  quorate up --bootstrap               the first node; prints an admin token and a join token
  quorate up --join @join.token        the next one
  quorate up                           any of them after a stop`;
