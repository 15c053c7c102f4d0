import { type Command, InvalidArgumentError, Option } from 'commander';

/** What every command that asks a cluster takes. */
export interface ConnectionOptions {
  readonly url?: readonly string[];
  readonly token?: string;
  readonly json?: true;
}

/** Of commands that show their progress. */
export interface QuietOption {
  readonly quiet?: true;
}

export function quietOption(command: Command): Command {
  return command.option('-q, --quiet', 'show no progress');
}

export function connectionOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--url <URL>', 'address of a node; may be repeated, the next is asked when one is away').argParser(
        listed,
      ),
    )
    .option('--token <TOKEN>', 'the token to send; better in QUORATE_TOKEN, where others do not see it')
    .option('--json', 'answer in JSON, for programs');
}

/** The flags that describe a job, in `run` and `submit`. */
export interface SpecOptions {
  readonly name?: string;
  readonly project?: string;
  readonly queue?: string;
  readonly label?: readonly string[];
  readonly env?: readonly string[];
  readonly workdir?: string;
  readonly stdin?: string;
  readonly cpu?: number;
  readonly memory?: string;
  readonly gpu?: number;
  readonly constraint?: readonly string[];
  readonly priority?: number;
  readonly timeout?: string;
  readonly idleTimeout?: string;
  readonly queueTimeout?: string;
  readonly retention?: string;
  readonly notBefore?: string;
  readonly retry?: number | 'never';
  readonly refuseInfeasible?: boolean;
  readonly after?: readonly string[];
  readonly group?: string;
  readonly resourceGroup?: string;
}

/** @param nameFlag of the job's name, where `--name` means another thing */
export function specOptions(command: Command, nameFlag = 'name'): Command {
  return command
    .option(`--${nameFlag} <NAME>`, 'a name for people')
    .option('--project <NAME>', 'the project that it belongs to')
    .option('--queue <NAME>', 'the queue that it waits in')
    .option('--label <K=V>', 'a label; may be repeated', repeated)
    .option('--env <K=V>', 'a variable of its environment, or K alone to pass on your own; may be repeated', repeated)
    .option('--workdir <PATH>', 'where it starts, below its own work folder')
    .option('--stdin <FILE>', 'text for its standard input; - for what comes in here')
    .option('--cpu <N>', 'processors that it takes, as 2 or 0.5', decimal)
    .option('--memory <SIZE>', 'memory that it takes, as 512MiB')
    .option('--gpu <N>', 'GPUs that it takes', wholeNumber)
    .option('--constraint <TEXT>', 'where it may run, as "os == linux"; may be repeated', repeated)
    .option('--priority <N>', 'from 0 to 100; higher goes first', wholeNumber)
    .option('--timeout <DURATION>', 'how long an attempt may run, as 10m')
    .option('--idle-timeout <DURATION>', 'how long an attempt may write nothing, as 5m')
    .option('--queue-timeout <DURATION>', 'how long it may wait for its start')
    .option('--retention <DURATION>', 'how long it is kept once it is final, as 7d')
    .option('--not-before <TIME>', 'when it may start at the earliest, as 2030-01-31T08:00:00Z')
    .option('--retry <N>', 'further attempts when it fails; "never" for none even when its machine is lost', retryCount)
    .option('--after <ID>', 'only after this job has succeeded, or ID:failed, ID:finished; may be repeated', repeated)
    .option('--group <ID>', 'the group that it belongs to')
    .option('--resource-group <NAME>', 'of the jobs that name the same, one runs at a time')
    .option('--refuse-infeasible', 'refuse it if no runner of the cluster could ever hold it');
}

/** What a job finds, and what is kept of it. */
export function fileOptions(command: Command): Command {
  return command
    .option('--input <DIR>', 'a folder whose files the job finds in its work folder; only what is missing is sent')
    .option('--git-ignore', 'of that folder, leave out what git ignores')
    .option('--outputs-of <ID>', 'what this job left, as ID or ID:PATH where it is to lie; may be repeated', repeated)
    .option('--output <PATH>', 'a path or pattern, as reports/*.xml, of what is kept; may be repeated', repeated);
}

export interface FileOptions {
  readonly input?: string;
  readonly gitIgnore?: true;
  readonly outputsOf?: readonly string[];
  readonly output?: readonly string[];
}

export function repeated(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function listed(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), ...value.split(',').map((item) => item.trim())];
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

export function atLeastOne(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('It must be at least 1.');
  return value;
}

/** Of a limit, or the word that lifts it. */
export function wholeNumberOrNone(text: string): number | 'none' {
  return text === 'none' ? text : wholeNumber(text);
}

export function decimalOrNone(text: string): number | 'none' {
  return text === 'none' ? text : decimal(text);
}

function decimal(text: string): number {
  if (!/^\d{1,15}(\.\d+)?$|^\.\d+$/.test(text)) throw new InvalidArgumentError('It must be a number.');
  return Number(text);
}

function retryCount(text: string): number | 'never' {
  return text === 'never' ? text : wholeNumber(text);
}
