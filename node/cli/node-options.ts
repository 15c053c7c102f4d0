import { type Command, Option } from 'commander';
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
  readonly bulk?: string;
  readonly blobSpace?: string;
  readonly blobCopies?: string;
  readonly logLevel?: string;
  readonly config?: string;
  readonly json?: true;
  readonly tick?: string;
  readonly election?: string;
  readonly heartbeat?: string;
  readonly runnerLease?: string;
  readonly runnerLostAfter?: string;
}

export function nodeOptions(command: Command): void {
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
    .option('--bulk <HOST:PORT>', 'where other nodes get and give blobs (beside --p2p, 8753)')
    .option('--blob-space <SIZE>', 'what blobs may take of the disk (64GiB)')
    .option('--blob-copies <N>', 'how many nodes have each blob, the same on all (2)')
    .addOption(new Option('--log-level <LEVEL>', 'what is logged, to standard error').choices(LOG_LEVELS))
    .option('--config <FILE>', 'a JSON file with settings, named as the flags in camelCase')
    .option('--json', 'tell in JSON that the node is up, for programs');
  const timing = [
    new Option('--tick <DURATION>', 'the step of the consensus clock (10ms)'),
    new Option('--heartbeat <DURATION>', 'how often a leader tells that it is alive (50ms)'),
    new Option('--election <DURATION>', 'how long a leader may be silent (300ms)'),
    new Option('--runner-lease <DURATION>', 'how long a runner goes on without hearing from the leader (10s)'),
    new Option('--runner-lost-after <DURATION>', 'when a silent runner is lost; longer than its lease (15s)'),
  ];
  for (const option of timing) command.addOption(option.helpGroup('Timing, the same on all nodes:'));
}
