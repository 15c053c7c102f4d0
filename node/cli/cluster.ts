import type { ClusterView, MemberView } from '../../src/api/views.ts';
import type { QuorateClient } from '../../src/client/client.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { formatCount, formatDuration } from './format.ts';
import type { ConnectionOptions } from './options.ts';
import { plain } from './plain-text.ts';
import { fields, table } from './table.ts';
import { UsageError } from './usage-error.ts';

type Operand = readonly [id: string];

export interface ClusterStatusOptions extends ConnectionOptions {
  readonly stale?: true;
}

export interface ClusterAddOptions extends ConnectionOptions {
  readonly ttl?: string;
}

export interface ForceOptions extends ConnectionOptions {
  readonly force?: true;
}

export interface ClusterSetOptions extends ConnectionOptions {
  readonly voters?: string;
  readonly replaceDeadAfter?: string;
}

export function clusterStatus(
  context: CommandContext,
  _operands: readonly [],
  options: ClusterStatusOptions,
): Promise<number> {
  const consistency = options.stale === true ? 'stale' : 'linearizable';
  return show(context, options, (client) => client.cluster.get({ consistency }));
}

/** With an id: that member is to vote. Without: a machine is invited that is no member yet. */
export function clusterAdd(
  context: CommandContext,
  [id]: readonly [id: string | undefined],
  options: ClusterAddOptions,
): Promise<number> {
  if (id === undefined) return invite(context, options);
  if (options.ttl !== undefined) {
    throw new UsageError('--ttl is for the token of a new machine', 'leave out the ID, or --ttl');
  }
  return show(context, options, (client) => client.cluster.setRole({ id, role: 'voter' }));
}

export function clusterDemote(context: CommandContext, [id]: Operand, options: ForceOptions): Promise<number> {
  const force = options.force === true;
  return show(context, options, (client) => client.cluster.setRole({ id, role: 'learner', force }));
}

export function clusterRelease(context: CommandContext, [id]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.cluster.setRole({ id, role: 'automatic' }));
}

export function clusterRemove(context: CommandContext, [id]: Operand, options: ForceOptions): Promise<number> {
  const force = options.force === true;
  return show(context, options, (client) => client.cluster.remove(id, { force }));
}

export function clusterTransfer(context: CommandContext, [id]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.cluster.transferLeadership(id));
}

export function clusterSet(
  context: CommandContext,
  _operands: readonly [],
  { voters, replaceDeadAfter, ...options }: ClusterSetOptions,
): Promise<number> {
  if (voters === undefined && replaceDeadAfter === undefined) {
    throw new UsageError('nothing to set', 'say --voters N or --replace-dead-after DURATION');
  }
  const settings = {
    ...(voters === undefined ? {} : { voters: Number(voters) }),
    ...(replaceDeadAfter === undefined ? {} : { replaceDeadAfter }),
  };
  return show(context, options, (client) => client.cluster.set(settings));
}

/** Prints the command alone on standard output, so that it can be handed on; the rest goes to standard error. */
async function invite(context: CommandContext, options: ClusterAddOptions): Promise<number> {
  const { ttl } = options;
  const invitation = await connect(context, options).cluster.invite(ttl === undefined ? {} : { ttl });
  if (options.json === true) {
    await context.stdout.json(invitation);
    return EXIT.done;
  }
  await context.stderr.line(`Run this on the new machine before ${invitation.expiresAt}; it is good for one node:`);
  await context.stdout.line(invitation.command);
  await context.stderr.line(
    `Others must reach it: add --http ADDRESS:8750 --p2p ADDRESS:8751 there.
It joins as a learner and votes by itself once it has caught up and a voter is wanted: quorate cluster status`,
  );
  return EXIT.done;
}

async function show(
  context: CommandContext,
  options: ConnectionOptions,
  ask: (client: QuorateClient) => Promise<ClusterView>,
): Promise<number> {
  const cluster = await ask(connect(context, options));
  await (options.json === true
    ? context.stdout.json(cluster)
    : context.stdout.line(describeCluster(cluster, context.stdout.columns)));
  return EXIT.done;
}

const HEADING = ['ID', 'ROLE', '', 'HEALTH', 'COMMITTED', 'APPLIED', 'LAG', 'SEEN', 'VERSION', 'HTTP', 'ADDRESSES'];

/** @param columns of the terminal; null for no limit */
function describeCluster(cluster: ClusterView, columns: number | null): string {
  const { settings, members, warnings } = cluster;
  const voting = members.filter(({ role }) => role === 'voter').length;
  const head = fields([
    ['cluster', cluster.clusterId],
    ['leader', cluster.leader ?? 'none'],
    ['term', String(cluster.term)],
    ['committed', String(cluster.commitIndex)],
    ['applied', `${cluster.appliedIndex} at ${cluster.node}`],
    [
      'voters',
      `${voting} of ${settings.voters} wanted; dead ones replaced: ${replacedText(settings.replaceDeadAfter)}`,
    ],
    ['survives', `the loss of ${formatCount(cluster.faultTolerance, 'more voter')}`],
  ]);
  const rows = table(
    HEADING,
    members.map((member) => rowOf(member, cluster.leader)),
    columns,
  );
  const told = warnings.map(({ code, detail }) => `warning: ${plain(detail)} (${code})`).join('\n');
  return [head, rows, ...(told === '' ? [] : [told])].join('\n\n');
}

function replacedText(after: string): string {
  if (after === 'never') return 'never';
  return after === 'automatic' ? 'after 10m while more than three vote' : `after ${after}`;
}

function rowOf(member: MemberView, leader: string | null): readonly string[] {
  const { id, role, health, version, http, addresses, commitIndex, appliedIndex, lag, lastSeen } = member;
  return [
    id,
    role,
    noteOf(member, leader),
    health,
    shown(commitIndex),
    shown(appliedIndex),
    shown(lag),
    lastSeen === null ? '?' : agoText(Date.now() - Date.parse(lastSeen)),
    version,
    http ?? '',
    addresses.join(' '),
  ];
}

function noteOf({ id, wish }: MemberView, leader: string | null): string {
  const notes = { voter: 'to vote', learner: 'not to vote', leave: 'leaving' };
  return [...(id === leader ? ['leader'] : []), ...(wish === null ? [] : [notes[wish]])].join(', ');
}

/** What was not asked, or not answered, is told as such. */
function shown(value: number | null): string {
  return value === null ? '?' : String(value);
}

/** The clocks of two machines may differ a little. */
function agoText(ms: number): string {
  return ms < 1000 ? 'now' : `${formatDuration(ms)} ago`;
}
