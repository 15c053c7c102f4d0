import { Option } from 'commander';
import { type Declare, does } from './declare.ts';
import { atLeastOne, connectionOptions, decimalOrNone, wholeNumberOrNone } from './options.ts';

export function declareQueues(declare: Declare): void {
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
  const set = one('set', 'set weight, strategy, preemption and limits; what is not named stays')
    .option('--weight <N>', 'its part of the cluster beside that of other queues (1)', atLeastOne)
    .addOption(
      new Option('--strategy <HOW>', 'prefer runners with little taken, or with much').choices(['spread', 'pack']),
    )
    .addOption(
      new Option('--preemption <WHETHER>', 'stop its jobs, and queue them again, for ones of higher priority').choices([
        'off',
        'requeue',
      ]),
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
