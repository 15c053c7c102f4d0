import { type Declare, does } from './declare.ts';
import { atLeastOne, connectionOptions, quietOption, repeated } from './options.ts';

export function declareGroups(declare: Declare): void {
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
  const wait = quietOption(
    connectionOptions(
      group
        .command('wait')
        .description('wait until it is closed and all its jobs have ended; 1 if one did not succeed'),
    ),
  )
    .argument('<ID>')
    .option('--close', 'close it first')
    .option('--timeout <DURATION>', 'give up after this long, with exit code 1');
  does(declare, wait, async () => (await import('./group-wait.ts')).groupWait);
}
