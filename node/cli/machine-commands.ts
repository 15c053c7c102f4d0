import { type Command, Option } from 'commander';
import { VOTER_COUNTS } from '../../src/state/voter-policy.ts';
import { clientCommand, type Declare, does } from './declare.ts';
import { connectionOptions } from './options.ts';

export function declareMachines(declare: Declare): void {
  declare.program.commandsGroup('Machines:');
  const top = clientCommand(declare, 'top', 'watch members, runners, queues and jobs on the whole terminal')
    .option('--once', 'print one frame as text and leave')
    .option('--interval <DURATION>', 'how often it looks (1s)');
  top.addHelpText('after', TOP_HELP);
  does(declare, top, async () => (await import('./top/top.ts')).top);
  const runners = clientCommand(declare, 'runners', 'list the machines that run jobs, with what they have free');
  does(declare, runners, async () => (await import('./runners.ts')).runners);
  const drain = clientCommand(declare, 'drain', 'give a runner no further jobs').argument('<ID>');
  does(declare, drain, async () => (await import('./drain.ts')).drain);
  const undrain = clientCommand(declare, 'undrain', 'give a drained runner jobs again').argument('<ID>');
  does(declare, undrain, async () => (await import('./drain.ts')).undrain);
  declareCluster(declare);
}

function declareCluster(declare: Declare): void {
  const cluster = declare.program.command('cluster').description('show the members of the cluster, or change them');
  const status = connectionOptions(
    cluster.command('status', { isDefault: true }).description('show members, roles, leader, health and warnings'),
  ).option('--stale', 'as the asked node sees it, without a leader');
  does(declare, status, async () => (await import('./cluster.ts')).clusterStatus);
  const invite = connectionOptions(
    cluster.command('add').description('print the command with which a new machine joins; with an ID: let it vote'),
  )
    .argument('[ID]', 'a member that does not vote')
    .option('--ttl <DURATION>', 'how long the new machine may join (1h)');
  does(declare, invite, async () => (await import('./cluster.ts')).clusterAdd);
  declareLeaving(declare, cluster);
  const transfer = connectionOptions(cluster.command('transfer').description('hand leadership to a voter')).argument(
    '<ID>',
  );
  does(declare, transfer, async () => (await import('./cluster.ts')).clusterTransfer);
  const set = connectionOptions(
    cluster.command('set').description('change how many vote, and what becomes of the dead'),
  )
    .addOption(new Option('--voters <N>', 'how many nodes are to vote').choices(VOTER_COUNTS.map(String)))
    .option('--replace-dead-after <DURATION>', 'a learner takes the place of a voter silent for so long; or "never"');
  does(declare, set, async () => (await import('./cluster.ts')).clusterSet);
}

function declareLeaving(declare: Declare, cluster: Command): void {
  const force = 'even when no majority of the voters would be alive';
  const remove = connectionOptions(cluster.command('remove').description('remove a member for good'))
    .argument('<ID>')
    .option('--force', force);
  does(declare, remove, async () => (await import('./cluster.ts')).clusterRemove);
  const demote = connectionOptions(cluster.command('demote').description('let a member keep its copy and never vote'))
    .argument('<ID>')
    .option('--force', force);
  does(declare, demote, async () => (await import('./cluster.ts')).clusterDemote);
  const release = connectionOptions(
    cluster.command('release').description('let the leader decide again whether a member votes'),
  ).argument('<ID>');
  does(declare, release, async () => (await import('./cluster.ts')).clusterRelease);
}

const TOP_HELP = `
With --json a line for each look, with --once as well a single one. It needs a token with the scope jobs:read; members
and runners are shown to those with cluster:read and runners:read.

  q quit   s sort by work or by name`;
