import { type Command, Option } from 'commander';
import type { Overlap } from '../../src/schedules/schedule.ts';
import { type Declare, does } from './declare.ts';
import { atLeastOne, connectionOptions, specOptions } from './options.ts';

const OVERLAP_CHOICES: readonly Overlap[] = ['skip', 'bufferOne', 'cancelOther', 'allowAll'];

export function declareSchedules(declare: Declare): void {
  const schedule = declare.program
    .command('schedule')
    .description('let jobs be submitted again and again, at the times of a cron line');
  declareCreate(declare, schedule);
  const list = connectionOptions(schedule.command('list').description('list the schedules')).option(
    '--limit <N>',
    'how many at most (100)',
    atLeastOne,
  );
  does(declare, list, async () => (await import('./schedules.ts')).scheduleList);
  const one = (name: string, description: string) =>
    connectionOptions(schedule.command(name).description(description)).argument('<NAME>');
  const show = one('show', 'show one with its next times and last firings');
  does(declare, show, async () => (await import('./schedules.ts')).scheduleShow);
  const set = timeOptions(one('set', 'change one; what is not named stays')).option(
    '--file <FILE>',
    'the job spec in JSON; - reads it from here',
  );
  does(declare, set, async () => (await import('./schedules.ts')).scheduleSet);
  const pause = one('pause', 'fire it no more until it is resumed; its jobs go on');
  does(declare, pause, async () => (await import('./schedules.ts')).schedulePause);
  const resume = one('resume', 'fire it again, from now on');
  does(declare, resume, async () => (await import('./schedules.ts')).scheduleResume);
  const trigger = one('trigger', 'fire it at once and print the id of the job');
  does(declare, trigger, async () => (await import('./schedules.ts')).scheduleTrigger);
  const remove = one('delete', 'delete one; its jobs stay');
  does(declare, remove, async () => (await import('./schedules.ts')).scheduleDelete);
}

function declareCreate(declare: Declare, schedule: Command): void {
  const create = specOptions(
    timeOptions(connectionOptions(schedule.command('create').description('make a schedule'))),
    'job-name',
  )
    .argument('<NAME>', 'of the schedule')
    .argument('[COMMAND...]', 'what to run, behind --')
    .option('--file <FILE>', 'a job spec in JSON; - reads it from here; flags go before what it says')
    .option('--paused', 'fire it only once it is resumed');
  create.addHelpText(
    'after',
    `
  quorate schedule create nightly --cron "0 2 * * *" --time-zone Europe/Stockholm -- make test
  quorate schedule create poll --cron "*/10 * * * * *" --overlap skip -- ./poll.sh`,
  );
  does(declare, create, async () => (await import('./schedules.ts')).scheduleCreate);
}

function timeOptions(command: Command): Command {
  return command
    .option('--cron <LINE>', 'when it fires: five fields, or six with seconds; or @daily and the like')
    .option('--time-zone <NAME>', 'of the line, as Europe/Stockholm (UTC)')
    .addOption(
      new Option('--overlap <HOW>', 'what a firing does while a job of it is not final (skip)').choices(
        OVERLAP_CHOICES,
      ),
    )
    .option('--catch-up <DURATION>', 'how late a firing may still be made up (1h)');
}
