import type { ClusterView, MemberView } from '../../src/api/views.ts';
import type { QuorateClient } from '../../src/client/client.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import type { ConnectionOptions } from './options.ts';
import { fields, table } from './table.ts';

type Operand = readonly [id: string];

export interface ClusterStatusOptions extends ConnectionOptions {
  readonly stale?: true;
}

export function clusterStatus(
  context: CommandContext,
  _operands: readonly [],
  options: ClusterStatusOptions,
): Promise<number> {
  const consistency = options.stale === true ? 'stale' : 'linearizable';
  return show(context, options, (client) => client.cluster({ consistency }));
}

export function clusterAdd(context: CommandContext, [id]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.setMemberRole(id, 'voter'));
}

export function clusterRemove(context: CommandContext, [id]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.removeMember(id));
}

export function clusterTransfer(context: CommandContext, [id]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.transferLeadership(id));
}

async function show(
  context: CommandContext,
  options: ConnectionOptions,
  ask: (client: QuorateClient) => Promise<ClusterView>,
): Promise<number> {
  const cluster = await ask(connect(context, options));
  await (options.json === true ? context.stdout.json(cluster) : context.stdout.line(describeCluster(cluster)));
  return EXIT.done;
}

const HEADING = ['ID', 'ROLE', '', 'HEALTH', 'VERSION', 'HTTP', 'ADDRESSES'];

function describeCluster(cluster: ClusterView): string {
  const head = fields([
    ['cluster', cluster.clusterId],
    ['leader', cluster.leader ?? 'none'],
    ['term', String(cluster.term)],
    ['committed', String(cluster.commitIndex)],
    ['applied', `${cluster.appliedIndex} at ${cluster.node}`],
  ]);
  return `${head}\n\n${table(
    HEADING,
    cluster.members.map((member) => rowOf(member, cluster.leader)),
  )}`;
}

function rowOf({ id, role, health, version, http, addresses }: MemberView, leader: string | null): readonly string[] {
  return [id, role, id === leader ? 'leader' : '', health, version, http ?? '', addresses.join(' ')];
}
