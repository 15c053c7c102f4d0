import type { GroupView } from '../../src/api/views.ts';
import type { QuorateClient } from '../../src/client/client.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { formatCount } from './format.ts';
import type { ConnectionOptions } from './options.ts';
import { pairs } from './spec-from-flags.ts';
import { fields } from './table.ts';
import { tellPage } from './tell-page.ts';
import { countsText } from './wait-for-all.ts';

type Operand = readonly [id: string];

export interface GroupCreateOptions extends ConnectionOptions {
  readonly name?: string;
  readonly project?: string;
  readonly label?: readonly string[];
  readonly maxRunning?: number;
  readonly failFast?: true;
}

/** Prints the id alone, so that it can be put into a variable. */
export async function groupCreate(
  context: CommandContext,
  _operands: readonly [],
  options: GroupCreateOptions,
): Promise<number> {
  const { name, project, label, maxRunning, failFast } = options;
  const group = await connect(context, options).groups.create({
    ...(name === undefined ? {} : { name }),
    ...(project === undefined ? {} : { project }),
    ...(label === undefined ? {} : { labels: pairs('--label', label, () => undefined) }),
    ...(maxRunning === undefined ? {} : { maxRunning }),
    ...(failFast === undefined ? {} : { failFast }),
  });
  await (options.json === true ? context.stdout.json(group) : context.stdout.line(group.id));
  return EXIT.done;
}

export function groupStatus(context: CommandContext, [id]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.groups.get(id));
}

export function groupClose(context: CommandContext, [id]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.groups.close(id));
}

export function groupCancel(context: CommandContext, [id]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.groups.cancel(id));
}

export interface GroupListOptions extends ConnectionOptions {
  readonly limit?: number;
}

export async function groupList(
  context: CommandContext,
  _operands: readonly [],
  { limit = 50, ...options }: GroupListOptions,
): Promise<number> {
  const page = await connect(context, options).groups.list({ limit });
  return tellPage(context, options, page, { heading: LIST_HEADING, rowOf });
}

async function show(
  context: CommandContext,
  options: ConnectionOptions,
  ask: (client: QuorateClient) => Promise<GroupView>,
): Promise<number> {
  const group = await ask(connect(context, options));
  await (options.json === true ? context.stdout.json(group) : context.stdout.line(describeGroup(group)));
  return EXIT.done;
}

export function describeGroup(group: GroupView): string {
  return fields([
    ['group', group.id],
    ['state', group.state],
    ['name', group.name],
    ['project', group.project],
    ['jobs', countsOf(group)],
    ['at once', group.maxRunning === null ? null : String(group.maxRunning)],
    ['cancelled', group.cancelledBy === null ? null : `by ${group.cancelledBy}`],
    ['created', `${group.createdAt} by ${group.createdBy}`],
    ['finished', group.finishedAt],
  ]);
}

const LIST_HEADING = ['ID', 'STATE', 'JOBS', 'NAME'];

function rowOf(group: GroupView): readonly string[] {
  return [group.id, group.state, countsOf(group), group.name ?? ''];
}

function countsOf({ counts }: GroupView): string {
  return countsText((state) => counts[state]) || formatCount(0, 'job');
}
