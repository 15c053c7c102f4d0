import { type Command, Option } from 'commander';
import { type Declare, does } from './declare.ts';
import { LOG_LEVELS } from '../config/config.ts';
import { repeated } from './options.ts';

/** The flags of `up` and `dev`, as parsed; what they hold is checked when a node is started. */
export interface NodeOptions {
  readonly data?: string;
  readonly http?: string;
  readonly p2p?: string;
  readonly grpc?: string;
  readonly join?: readonly string[];
  readonly bootstrap?: true;
  readonly runner?: false;
  readonly cpu?: string;
  readonly memory?: string;
  readonly label?: readonly string[];
  readonly advertise?: readonly string[];
  readonly allowHost?: readonly string[];
  readonly killJobs?: true;
  readonly logLevel?: string;
  readonly config?: string;
  readonly tick?: string;
  readonly election?: string;
  readonly heartbeat?: string;
  readonly runnerLease?: string;
  readonly runnerLostAfter?: string;
}

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

function nodeOptions(command: Command): void {
  command
    .option('--data <DIR>', 'the folder that holds everything of this node')
    .option('--http <HOST:PORT>', 'where the API listens (127.0.0.1:8750)')
    .option('--p2p <HOST:PORT>', 'where other nodes reach this one (127.0.0.1:8751)')
    .option('--grpc <HOST:PORT>', 'where gRPC listens (127.0.0.1:8752)')
    .option('--join <TOKEN>', 'join a cluster with a join token, or @FILE that holds one; may be repeated', repeated)
    .option('--bootstrap', 'make a new cluster in an empty data folder')
    .option('--no-runner', 'run no jobs on this machine')
    .option('--cpu <N>', 'processors that jobs may take (all)')
    .option('--memory <SIZE>', 'memory that jobs may take (all)')
    .option('--label <K=V>', 'a label of this machine for constraints; may be repeated', repeated)
    .option('--advertise <ADDR>', 'the address that other nodes are told, as HOST:PORT; may be repeated', repeated)
    .option('--allow-host <NAME>', 'a name that requests may address this node by; may be repeated', repeated)
    .option('--kill-jobs', 'end the jobs of this machine when the node is stopped')
    .addOption(new Option('--log-level <LEVEL>', 'what is logged, to standard error').choices(LOG_LEVELS))
    .option('--config <FILE>', 'a JSON file with settings, named as the flags in camelCase');
  const timing = [
    new Option('--tick <DURATION>', 'the step of the consensus clock (10ms)'),
    new Option('--heartbeat <DURATION>', 'how often a leader tells that it is alive (50ms)'),
    new Option('--election <DURATION>', 'how long a leader may be silent (300ms)'),
    new Option('--runner-lease <DURATION>', 'how long a runner goes on without hearing from the leader (10s)'),
    new Option('--runner-lost-after <DURATION>', 'when a silent runner is lost; longer than its lease (15s)'),
  ];
  for (const option of timing) command.addOption(option.helpGroup('Timing, the same on all nodes:'));
}

const UP_HELP = `
Settings come from flags, then QUORATE_DATA, QUORATE_HTTP, … (a flag in capitals), then --config, then the addresses
of the last start. A restart needs --data alone. Without --data: $XDG_STATE_HOME/quorate or ~/.local/state/quorate.

  quorate up --bootstrap               the first node; prints an admin token and a join token
  quorate up --join @join.token        the next one
  quorate up                           any of them after a stop`;
