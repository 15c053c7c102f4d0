import { Argument, type Command, Option } from 'commander';
import { JOB_STATES } from '../../src/jobs/job.ts';
import { VOTER_COUNTS } from '../../src/state/voter-policy.ts';
import { type Declare, does } from './declare.ts';
import {
  atLeastOne,
  connectionOptions,
  decimalOrNone,
  repeated,
  specOptions,
  wholeNumber,
  wholeNumberOrNone,
} from './options.ts';

export function declareClientCommands(declare: Declare): void {
  declareSubmitting(declare);
  declareJobs(declare);
  declareGroups(declare);
  declareQueues(declare);
  declareMachines(declare);
  declareRest(declare);
}

function add(declare: Declare, usage: string, description: string): Command {
  return connectionOptions(declare.program.command(usage).description(description));
}

function declareSubmitting(declare: Declare): void {
  declare.program.commandsGroup('Submitting:');
  const run = specOptions(add(declare, 'run', 'submit a job, follow its output, and end with its exit code'))
    .argument('<COMMAND...>', 'what to run, behind --')
    .option('--detach', 'print the id and leave')
    .passThroughOptions();
  run.addHelpText('after', '\nCtrl-C cancels the job; once more leaves at once.\n\n  quorate run --cpu 2 -- make test');
  does(declare, run, async () => (await import('./run.ts')).run);

  const submit = specOptions(add(declare, 'submit', 'submit a job and print its id'))
    .argument('[COMMAND...]', 'what to run, behind --')
    .option('--file <FILE>', 'a job spec in JSON; - reads it from here; flags go before what it says')
    .option('--idempotency-key <KEY>', 'submissions under one key are one job')
    .passThroughOptions();
  does(declare, submit, async () => (await import('./submit.ts')).submit);

  const batch = add(declare, 'batch', 'submit many jobs, one JSON spec in a line, and print their ids')
    .argument('<FILE>', 'the file of specs; - for what comes in here')
    .option('--wait', 'wait until all have ended; the exit code is 1 if one did not succeed');
  does(declare, batch, async () => (await import('./batch.ts')).batch);
}

function declareJobs(declare: Declare): void {
  declare.program.commandsGroup('Jobs:');
  const jobs = add(declare, 'jobs', 'list jobs, newest first')
    .addOption(new Option('--state <STATE>', 'only those in this state').choices(JOB_STATES))
    .option('--queue <NAME>', 'only those of this queue')
    .option('--project <NAME>', 'only those of this project')
    .option('--name <NAME>', 'only those of this name')
    .option('--group <ID>', 'only those of this group')
    .option('--parent <ID>', 'only those that this job submitted')
    .option('--label <K=V>', 'only those with this label; may be repeated, then all must match', repeated)
    .option('--limit <N>', 'how many at most (50)', atLeastOne)
    .option('--all', 'every one');
  does(declare, jobs, async () => (await import('./jobs.ts')).jobs);

  const status = add(declare, 'status', 'show one job with its attempts').argument('<ID>');
  does(declare, status, async () => (await import('./status.ts')).status);

  const explain = add(declare, 'explain', 'tell why a job is where it is').argument('<ID>');
  does(declare, explain, async () => (await import('./explain.ts')).explain);

  const wait = add(declare, 'wait', 'wait until jobs have ended; the exit code is 1 if one did not succeed')
    .argument('<ID...>')
    .option('--timeout <DURATION>', 'give up after this long, with exit code 1');
  does(declare, wait, async () => (await import('./wait.ts')).wait);

  const logs = add(declare, 'logs', 'show the output of a job')
    .argument('<ID>')
    .option('-f, --follow', 'go on until the job has ended')
    .addOption(new Option('--stdout', 'only its standard output').conflicts('stderr'))
    .addOption(new Option('--stderr', 'only its standard error'))
    .option('--tail <N>', 'only the last lines', wholeNumber)
    .option('--attempt <N>', 'of this attempt (the last one)', atLeastOne);
  does(declare, logs, async () => (await import('./logs.ts')).logs);

  const cancel = add(declare, 'cancel', 'cancel jobs')
    .argument('<ID...>')
    .option('--queued', 'only those that do not run yet');
  does(declare, cancel, async () => (await import('./cancel.ts')).cancel);

  const retry = add(declare, 'retry', 'give a job that ended another attempt').argument('<ID>');
  does(declare, retry, async () => (await import('./retry.ts')).retry);
}

function declareGroups(declare: Declare): void {
  const group = declare.program.command('group').description('work with open-ended sets of jobs');
  const create = connectionOptions(group.command('create').description('make a group and print its id'))
    .option('--name <NAME>', 'a name for people')
    .option('--project <NAME>', 'the project that it belongs to')
    .option('--label <K=V>', 'a label; may be repeated', repeated)
    .option('--max-running <N>', 'how many of its jobs are queued or run at once (all)', atLeastOne)
    .option('--fail-fast', 'the first job that ends badly cancels the others');
  does(declare, create, async () => (await import('./group.ts')).groupCreate);
  const list = connectionOptions(group.command('list').description('list groups, newest first')).option(
    '--limit <N>',
    'how many at most (50)',
    atLeastOne,
  );
  does(declare, list, async () => (await import('./group.ts')).groupList);
  const status = connectionOptions(group.command('status').description('show how its jobs stand')).argument('<ID>');
  does(declare, status, async () => (await import('./group.ts')).groupStatus);
  const close = connectionOptions(group.command('close').description('take no more jobs into it')).argument('<ID>');
  does(declare, close, async () => (await import('./group.ts')).groupClose);
  const cancel = connectionOptions(group.command('cancel').description('close it and cancel its jobs')).argument(
    '<ID>',
  );
  does(declare, cancel, async () => (await import('./group.ts')).groupCancel);
  const wait = connectionOptions(
    group.command('wait').description('wait until it is closed and all its jobs have ended; 1 if one did not succeed'),
  )
    .argument('<ID>')
    .option('--close', 'close it first')
    .option('--timeout <DURATION>', 'give up after this long, with exit code 1');
  does(declare, wait, async () => (await import('./group.ts')).groupWait);
}

function declareQueues(declare: Declare): void {
  const queues = declare.program
    .command('queues')
    .description('show the queues, or change how their jobs are scheduled');
  const list = connectionOptions(
    queues.command('list', { isDefault: true }).description('list the queues that are set or hold jobs'),
  ).option('--limit <N>', 'how many at most (100)', atLeastOne);
  does(declare, list, async () => (await import('./queues.ts')).queueList);
  const one = (name: string, description: string) =>
    connectionOptions(queues.command(name).description(description)).argument('<NAME>');
  does(declare, one('show', 'show one queue with its projects'), async () => (await import('./queues.ts')).queueShow);
  const set = one('set', 'set weight, strategy and limits; what is not named stays')
    .option('--weight <N>', 'its part of the cluster beside that of other queues (1)', atLeastOne)
    .addOption(
      new Option('--strategy <HOW>', 'prefer runners with little taken, or with much').choices(['spread', 'pack']),
    )
    .option('--max-running <N>', 'how many of its jobs run at once; "none" for no limit', wholeNumberOrNone)
    .option('--max-cpu <N>', 'how many processors they take together; or "none"', decimalOrNone)
    .option('--max-memory <SIZE>', 'how much memory they take together; or "none"')
    .option('--project-max-running <N>', 'the same for each project in it', wholeNumberOrNone)
    .option('--project-max-cpu <N>', 'the same for each project in it', decimalOrNone)
    .option('--project-max-memory <SIZE>', 'the same for each project in it');
  does(declare, set, async () => (await import('./queues.ts')).queueSet);
  does(
    declare,
    one('pause', 'start none of its jobs until it is resumed; what runs goes on'),
    async () => (await import('./queues.ts')).queuePause,
  );
  does(declare, one('resume', 'start its jobs again'), async () => (await import('./queues.ts')).queueResume);
  does(
    declare,
    one('reset', 'let it be as by default again; its jobs stay'),
    async () => (await import('./queues.ts')).queueReset,
  );
}

function declareMachines(declare: Declare): void {
  declare.program.commandsGroup('Machines:');
  const runners = add(declare, 'runners', 'list the machines that run jobs, with what they have free');
  does(declare, runners, async () => (await import('./runners.ts')).runners);
  const drain = add(declare, 'drain', 'give a runner no further jobs').argument('<ID>');
  does(declare, drain, async () => (await import('./drain.ts')).drain);
  const undrain = add(declare, 'undrain', 'give a drained runner jobs again').argument('<ID>');
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

function declareRest(declare: Declare): void {
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
  const backup = add(declare, 'backup', 'write the state of the running cluster to a file').argument(
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
}
