import { type Declare, does } from './declare.ts';
import { connectionOptions } from './options.ts';

/** What mends a cluster or a node; all of them work on the data folder of a node that does not run. */
export function declareMendingCommands(declare: Declare): void {
  const { program } = declare;
  program.commandsGroup('Mending:');
  const recover = program
    .command('recover')
    .description('make a new cluster of the one node that is left, after a majority of the voters was lost for good')
    .summary('bring a cluster back that lost its quorum for good')
    .option('--data <DIR>', 'the data folder of the node that is left')
    .option('--yes', 'do it; without this it only tells what would be lost')
    .option('--json', 'answer in JSON, for programs');
  recover.addHelpText('after', RECOVER_HELP);
  does(declare, recover, async () => (await import('./recover.ts')).recover);

  const rejoin = connectionOptions(program.command('rejoin'))
    .description('prepare a node whose log is damaged, or that was left behind, to join again under a new id')
    .summary('bring a damaged node back under a new id')
    .option('--data <DIR>', 'the data folder of the node')
    .option('--join <TOKEN>', 'a join token, or @FILE that holds one; without it one is made by asking --url');
  rejoin.addHelpText('after', REJOIN_HELP);
  does(declare, rejoin, async () => (await import('./rejoin.ts')).rejoin);

  const restore = program
    .command('restore')
    .description('make the data folder of a new cluster of one from a backup')
    .argument('<FILE>', 'what `quorate backup` wrote')
    .option('--data <DIR>', 'the folder that is made; it must be empty or not be there')
    .option('--json', 'answer in JSON, for programs');
  restore.addHelpText('after', '\nThe node starts then with `quorate up --data DIR`, and others join it as new ones.');
  does(declare, restore, async () => (await import('./restore.ts')).restore);
}

const RECOVER_HELP = `
The node must not run. What the lost voters had acknowledged and this node had not received is gone. The cluster goes
on with all its jobs under a new id; its other former members are refused until \`quorate rejoin\` makes them new ones.`;

const REJOIN_HELP = `
The node must not run. Its old log, state and key are moved into a folder beside them and stay there. At its next start
it joins as a learner, and its old id is removed from the cluster.

  quorate rejoin --data DIR --join @join.token    and then: quorate up --data DIR`;
