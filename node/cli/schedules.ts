import type { FiringView, ScheduleView } from '../../src/api/schedule-view.ts';
import type { QuorateClient } from '../../src/client/client.ts';
import type { ScheduleChange, ScheduleRequest } from '../../src/client/schedules-client.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { formatCommand, formatCount } from './format.ts';
import type { ConnectionOptions, SpecOptions } from './options.ts';
import { readSpec } from './read-spec.ts';
import { specFromFlags } from './spec-from-flags.ts';
import { fields, table } from './table.ts';
import { tellPage } from './tell-page.ts';
import { UsageError } from './usage-error.ts';

type Operand = readonly [name: string];

/** What both making and changing one take. */
interface TimeOptions {
  readonly cron?: string;
  readonly timeZone?: string;
  readonly overlap?: ScheduleView['overlap'];
  readonly catchUp?: string;
}

export interface ScheduleCreateOptions extends ConnectionOptions, Omit<SpecOptions, 'name'>, TimeOptions {
  readonly jobName?: string;
  readonly file?: string;
  readonly paused?: true;
}

export async function scheduleCreate(
  context: CommandContext,
  [name, command]: readonly [name: string, command: readonly string[]],
  options: ScheduleCreateOptions,
): Promise<number> {
  const { cron, file, paused } = options;
  const next = `quorate schedule create ${name} --cron "0 2 * * *" -- COMMAND`;
  if (cron === undefined) throw new UsageError('nothing says when it fires: --cron', next);
  if (file === undefined && command.length === 0) throw new UsageError('nothing to submit', `${next}, or --file FILE`);
  if (file === '-' && options.stdin === '-') throw new UsageError('--file and --stdin cannot both read standard input');
  const client = connect(context, options);
  const flags = await specFromFlags(context, command, namedAs(options));
  const spec = (file === undefined ? flags : { ...(await readSpec(context, file)), ...flags }) as JobSpec;
  const request: ScheduleRequest = {
    name,
    ...timesOf(options),
    cron,
    spec,
    ...(paused === undefined ? {} : { paused }),
  };
  return await tell(context, options, await client.schedules.create(request));
}

/** `--name` of a job is `--job-name` here, where the schedule has a name too. */
function namedAs({ jobName, ...rest }: ScheduleCreateOptions): SpecOptions {
  return jobName === undefined ? rest : { ...rest, name: jobName };
}

function timesOf({ cron, timeZone, overlap, catchUp }: TimeOptions): ScheduleChange {
  return {
    ...(cron === undefined ? {} : { cron }),
    ...(timeZone === undefined ? {} : { timeZone }),
    ...(overlap === undefined ? {} : { overlap }),
    ...(catchUp === undefined ? {} : { catchUp }),
  };
}

export interface ScheduleSetOptions extends ConnectionOptions, TimeOptions {
  readonly file?: string;
}

export async function scheduleSet(
  context: CommandContext,
  [name]: Operand,
  options: ScheduleSetOptions,
): Promise<number> {
  const { file } = options;
  const times = timesOf(options);
  const spec = file === undefined ? {} : { spec: (await readSpec(context, file)) as JobSpec };
  const change: ScheduleChange = { ...times, ...spec };
  if (Object.keys(change).length === 0)
    throw new UsageError('nothing to set', 'see what there is: quorate schedule set --help');
  return await show(context, options, (client) => client.schedules.set(name, change));
}

export interface ScheduleListOptions extends ConnectionOptions {
  readonly limit?: number;
}

export async function scheduleList(
  context: CommandContext,
  _operands: readonly [],
  { limit = 100, ...options }: ScheduleListOptions,
): Promise<number> {
  const page = await connect(context, options).schedules.list({ limit });
  return tellPage(context, options, page, { heading: LIST_HEADING, rowOf });
}

export function scheduleShow(context: CommandContext, [name]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.schedules.get(name));
}

export function schedulePause(context: CommandContext, [name]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.schedules.set(name, { paused: true }));
}

export function scheduleResume(context: CommandContext, [name]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.schedules.set(name, { paused: false }));
}

/** Prints the id of the job alone, so that it can be put into a variable. */
export async function scheduleTrigger(
  context: CommandContext,
  [name]: Operand,
  options: ConnectionOptions,
): Promise<number> {
  const firing = await connect(context, options).schedules.trigger(name);
  await (options.json === true ? context.stdout.json(firing) : context.stdout.line(firing.job ?? ''));
  if (firing.outcome === 'buffered' && options.json !== true) {
    await context.stderr.line(`It is submitted once the job of ${name} before it has ended.`);
  }
  return EXIT.done;
}

export async function scheduleDelete(
  context: CommandContext,
  [name]: Operand,
  options: ConnectionOptions,
): Promise<number> {
  await connect(context, options).schedules.delete(name);
  if (options.json === true) await context.stdout.json({ name, deleted: true });
  else await context.stdout.line(`${name} deleted`);
  return EXIT.done;
}

async function show(
  context: CommandContext,
  options: ConnectionOptions,
  ask: (client: QuorateClient) => Promise<ScheduleView>,
): Promise<number> {
  return await tell(context, options, await ask(connect(context, options)));
}

async function tell(context: CommandContext, options: ConnectionOptions, schedule: ScheduleView): Promise<number> {
  await (options.json === true ? context.stdout.json(schedule) : context.stdout.line(describeSchedule(schedule)));
  return EXIT.done;
}

function describeSchedule(schedule: ScheduleView): string {
  const { lastError, buffered, next } = schedule;
  const head = fields([
    ['schedule', schedule.name],
    ['state', schedule.state],
    ['cron', `${schedule.cron} (${schedule.timeZone})`],
    ['command', formatCommand(schedule.spec.command)],
    ['overlap', schedule.overlap],
    ['catch up', schedule.catchUp],
    ['next', next.length === 0 ? null : next.join(', ')],
    ['counts', countsOf(schedule)],
    ['unfinished', schedule.unfinished === 0 ? null : formatCount(schedule.unfinished, 'job')],
    ['waits', buffered === null ? null : `the firing of ${buffered.due ?? 'by hand'}, for the end of those`],
    ['last error', lastError === null ? null : `${lastError.at} ${lastError.message} (${lastError.code})`],
    ['owner', schedule.owner],
    ['created', schedule.createdAt],
  ]);
  if (schedule.firings.length === 0) return head;
  return `${head}\n\n${table(FIRINGS_HEADING, schedule.firings.map(firingRow))}`;
}

const LIST_HEADING = ['SCHEDULE', 'STATE', 'CRON', 'ZONE', 'NEXT', 'FIRED', 'SKIPPED', 'MISSED', 'REFUSED', 'WHAT'];
const FIRINGS_HEADING = ['DUE', 'OUTCOME', 'JOB', 'WHY'];

function rowOf(schedule: ScheduleView): readonly string[] {
  const what = schedule.spec.name ?? formatCommand(schedule.spec.command);
  return [
    schedule.name,
    schedule.state,
    schedule.cron,
    schedule.timeZone,
    schedule.next[0] ?? '',
    String(schedule.fired),
    String(schedule.skipped),
    missedOf(schedule),
    String(schedule.refused),
    what,
  ];
}

function firingRow({ due, outcome, job, count, error }: FiringView): readonly string[] {
  const what = count === 1 ? outcome : `${outcome} ${count}`;
  return [due ?? 'by hand', what, job ?? '', error === null ? '' : `${error.message} (${error.code})`];
}

function countsOf(schedule: ScheduleView): string {
  const { fired, skipped, refused } = schedule;
  return `${fired} fired, ${skipped} skipped, ${missedOf(schedule)} missed, ${refused} refused`;
}

function missedOf({ missed, missedCount }: ScheduleView): string {
  return missedCount === 'exact' ? String(missed) : `at least ${missed}`;
}
