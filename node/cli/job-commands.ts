import { Option } from 'commander';
import { EVENT_KINDS } from '../../src/api/event-view.ts';
import { JOB_STATES } from '../../src/jobs/job.ts';
import { clientCommand, type Declare, does } from './declare.ts';
import { atLeastOne, quietOption, repeated, wholeNumber } from './options.ts';

export function declareJobs(declare: Declare): void {
  declare.program.commandsGroup('Jobs:');
  const jobs = clientCommand(declare, 'jobs', 'list jobs, newest first')
    .addOption(new Option('--state <STATE>', 'only those in this state').choices(JOB_STATES))
    .option('--queue <NAME>', 'only those of this queue')
    .option('--project <NAME>', 'only those of this project')
    .option('--name <NAME>', 'only those of this name')
    .option('--group <ID>', 'only those of this group')
    .option('--parent <ID>', 'only those that this job submitted')
    .option('--schedule <NAME>', 'only those that this schedule submitted')
    .option('--label <K=V>', 'only those with this label; may be repeated, then all must match', repeated)
    .option('--limit <N>', 'how many at most (50)', atLeastOne)
    .option('--all', 'every one');
  does(declare, jobs, async () => (await import('./jobs.ts')).jobs);

  const status = clientCommand(declare, 'status', 'show one job with its attempts').argument('<ID>');
  does(declare, status, async () => (await import('./status.ts')).status);

  const explain = clientCommand(declare, 'explain', 'tell why a job is where it is').argument('<ID>');
  does(declare, explain, async () => (await import('./explain.ts')).explain);

  const wait = quietOption(
    clientCommand(declare, 'wait', 'wait until jobs have ended; the exit code is 1 if one did not succeed'),
  )
    .argument('<ID...>')
    .option('--timeout <DURATION>', 'give up after this long, with exit code 1');
  does(declare, wait, async () => (await import('./wait.ts')).wait);

  const logs = clientCommand(declare, 'logs', 'show the output of a job')
    .argument('<ID>')
    .option('-f, --follow', 'go on until the job has ended')
    .addOption(new Option('--stdout', 'only its standard output').conflicts('stderr'))
    .addOption(new Option('--stderr', 'only its standard error'))
    .option('--tail <N>', 'only the last lines', wholeNumber)
    .option('--attempt <N>', 'of this attempt (the last one)', atLeastOne);
  does(declare, logs, async () => (await import('./logs.ts')).logs);

  const events = clientCommand(
    declare,
    'events',
    'follow the changes of jobs and of the cluster, until it is interrupted',
  )
    .addOption(new Option('--kind <KIND...>', 'only of these kinds').choices(EVENT_KINDS))
    .addOption(new Option('--state <STATE...>', 'only jobs that came to one of these').choices(JOB_STATES))
    .option('--job <ID>', 'only of this job')
    .option('--project <NAME>', 'only of this project')
    .option('--queue <NAME>', 'only of this queue')
    .option('--group <ID>', 'only of this group and its jobs')
    .option('--parent <ID>', 'only of what this job submitted')
    .option('--label <K=V>', 'only with this label; may be repeated, then all must match', repeated)
    .option('--after <ID>', 'begin behind this event, or behind this index of the log (from now on)');
  does(declare, events, async () => (await import('./events.ts')).events);

  const get = clientCommand(declare, 'get', 'list what a job left, or read it')
    .argument('<ID>')
    .argument('[PATH]', 'one file, to standard output')
    .option('-o, --output <PATH>', 'where to write the file, or without PATH all of it, as a new folder')
    .option('--attempt <N>', 'of this attempt (the last one)', atLeastOne);
  does(declare, get, async () => (await import('./get.ts')).get);

  const cancel = clientCommand(declare, 'cancel', 'cancel jobs')
    .argument('<ID...>')
    .option('--queued', 'only those that do not run yet');
  does(declare, cancel, async () => (await import('./cancel.ts')).cancel);

  const retry = clientCommand(declare, 'retry', 'give a job that ended another attempt').argument('<ID>');
  does(declare, retry, async () => (await import('./retry.ts')).retry);
}
