import { Argument, Option } from 'commander';
import { clientCommand, type Declare, does } from './declare.ts';
import { atLeastOne, connectionOptions, repeated } from './options.ts';

export function declareMore(declare: Declare): void {
  declare.program.commandsGroup('More:');
  declareTokens(declare);
  declareBlobs(declare);
  declareBackup(declare);
  const completion = declare.program
    .command('completion')
    .description('print what makes a shell complete the commands and options of quorate')
    .addArgument(new Argument('<SHELL>').choices(['bash', 'zsh', 'fish']));
  completion.addHelpText(
    'after',
    `
  bash   echo 'source <(quorate completion bash)' >> ~/.bashrc
  zsh    quorate completion zsh > "\${fpath[1]}/_quorate"
  fish   quorate completion fish > ~/.config/fish/completions/quorate.fish`,
  );
  does(declare, completion, async () => {
    const { completion: print } = await import('./completion.ts');
    return (context, operands: readonly [string]) => print(context, operands, declare.program);
  });
  const version = declare.program
    .command('version')
    .description('print the version')
    .option('--json', 'answer in JSON, for programs');
  does(declare, version, async () => (await import('./version.ts')).version);
}

function declareBackup(declare: Declare): void {
  const backup = clientCommand(declare, 'backup', 'write the state of the running cluster to a file').argument(
    '<FILE>',
    'the file that is made; it must not be there',
  );
  backup.addHelpText('after', BACKUP_HELP);
  does(declare, backup, async () => (await import('./backup.ts')).backup);
}

const BACKUP_HELP = `
It needs a token with the scope admin. The file holds jobs, members and tokens as of one moment (of tokens their hashes
alone), but not what jobs wrote, nor blobs. \`quorate restore FILE\` makes a new cluster of it.`;

function declareTokens(declare: Declare): void {
  const token = declare.program.command('token').description('make, list and revoke tokens');
  const create = connectionOptions(token.command('create').description('make a token and print it, this once'))
    .option('--name <NAME>', 'a name for people (cli)')
    .option('--scope <SCOPE>', 'what it may do, as jobs:write; may be repeated', repeated)
    .option('--ttl <DURATION>', 'how long it is good for (ever; a join token: 1h)')
    .addOption(new Option('--join', 'a token with which nodes join the cluster').conflicts(['scope', 'name']))
    .option('--uses <N>', 'how many nodes may join with it (1)', atLeastOne);
  does(declare, create, async () => (await import('./token.ts')).tokenCreate);
  const list = connectionOptions(token.command('list').description('list the tokens; their secrets are not kept'));
  does(declare, list, async () => (await import('./token.ts')).tokenList);
  const revoke = connectionOptions(token.command('revoke').description('make a token worthless')).argument('<ID>');
  does(declare, revoke, async () => (await import('./token.ts')).tokenRevoke);
}

function declareBlobs(declare: Declare): void {
  const blob = declare.program.command('blob').description('store and read bytes by their SHA-256');
  const put = connectionOptions(blob.command('put').description('store a file and print its hash')).argument(
    '<FILE>',
    'the file; - for what comes in here',
  );
  does(declare, put, async () => (await import('./blob.ts')).blobPut);
  const get = connectionOptions(blob.command('get').description('read bytes'))
    .argument('<HASH>', 'the SHA-256 in hex')
    .option('-o, --output <FILE>', 'where to write them (standard output)');
  does(declare, get, async () => (await import('./blob.ts')).blobGet);
  const stat = connectionOptions(blob.command('stat').description('tell how many bytes there are')).argument(
    '<HASH>',
    'the SHA-256 in hex',
  );
  does(declare, stat, async () => (await import('./blob.ts')).blobStat);
}
