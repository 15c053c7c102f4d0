import type { GroupView } from '../../src/api/views.ts';
import type { QuorateClient } from '../../src/client/client.ts';
import { JOB_STATES } from '../../src/jobs/job.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { durationOf } from './duration-flag.ts';
import { EXIT } from './exit-codes.ts';
import { formatCount } from './format.ts';
import type { ConnectionOptions } from './options.ts';
import { startProgress } from './progress.ts';
import { pairs } from './spec-from-flags.ts';
import { fields, table } from './table.ts';

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
  if (options.json === true) await context.stdout.json(page);
  else await context.stdout.line(table(LIST_HEADING, page.items.map(rowOf)));
  return EXIT.done;
}

export interface GroupWaitOptions extends ConnectionOptions {
  readonly timeout?: string;
  readonly close?: true;
}

/** How often the progress of a group is looked at. */
const LOOK_MS = 1_000;

/** Exit code 1 when a job of it did not succeed, or when it is not finished in time. */
export async function groupWait(context: CommandContext, [id]: Operand, options: GroupWaitOptions): Promise<number> {
  const client = connect(context, options);
  const endsAt =
    options.timeout === undefined ? Infinity : performance.now() + durationOf('--timeout', options.timeout);
  let group = options.close === true ? await client.groups.close(id) : await client.groups.get(id);
  const progress = await startProgress(context.stderr, 'ended', totalOf(group));
  let ended = 0;
  try {
    while (group.state !== 'finished' && performance.now() < endsAt) {
      group = await client.groups.wait(id, { timeoutMs: Math.min(LOOK_MS, Math.max(0, endsAt - performance.now())) });
      const now = totalOf(group) - unfinishedOf(group);
      progress.advance(Math.max(0, now - ended));
      ended = Math.max(ended, now);
    }
  } finally {
    progress.stop();
  }
  await (options.json === true ? context.stdout.json(group) : context.stdout.line(describeGroup(group)));
  if (group.state !== 'finished') await context.stderr.line(`quorate: the group ${id} is not finished yet (timedOut)`);
  return group.state === 'finished' && group.counts.succeeded === totalOf(group) ? EXIT.done : EXIT.failed;
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

function describeGroup(group: GroupView): string {
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

const LIST_HEADING = ['ID', 'STATE', 'NAME', 'JOBS'];

function rowOf(group: GroupView): readonly string[] {
  return [group.id, group.state, group.name ?? '', countsOf(group)];
}

function countsOf({ counts }: GroupView): string {
  const told = JOB_STATES.filter((state) => counts[state] > 0).map((state) => `${counts[state]} ${state}`);
  return told.length === 0 ? formatCount(0, 'job') : told.join(', ');
}

function totalOf({ counts }: GroupView): number {
  return JOB_STATES.reduce((sum, state) => sum + counts[state], 0);
}

function unfinishedOf({ counts }: GroupView): number {
  return counts.waiting + counts.queued + counts.assigned + counts.running;
}
