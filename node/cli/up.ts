import { join } from 'node:path';
import { defaultDataDir } from '../config/load-config.ts';
import type { NodeConfig } from '../config/config.ts';
import type { RunningNode } from '../node.ts';
import type { CommandContext } from './command-context.ts';
import { EXIT } from './exit-codes.ts';
import type { NodeOptions } from './node-options.ts';
import { configFor, runNode } from './run-node.ts';

export async function up(context: CommandContext, _operands: readonly [], options: NodeOptions): Promise<number> {
  const config = await configFor(context, options, { mode: 'up', defaultDataDir: defaultDataDir(context.env) });
  await runNode(context, config, {
    json: options.json,
    welcome: (node) => (node.created === null ? goesOn(node, config) : founded(node, config)),
  });
  return EXIT.done;
}

function goesOn(node: RunningNode, config: NodeConfig): string {
  return `Quorate is up: node ${node.nodeId} of cluster ${node.clusterId}
  API   ${node.http}
  data  ${config.dataDir}; a restart needs --data alone`;
}

function founded(node: RunningNode, config: NodeConfig): string {
  const { adminToken, joinToken } = node.created ?? { adminToken: '', joinToken: '' };
  return `Quorate is up: the first node of a new cluster, ${node.clusterId}
  API   ${node.http}
  data  ${config.dataDir}; a restart needs --data alone

The admin token may do everything. It is told this once, and is in ${join(config.dataDir, 'admin.token')}:
  export QUORATE_URL=${node.http}
  export QUORATE_TOKEN=${adminToken}
  quorate run -- echo hi

On the next machine, within a day:
  quorate up --join ${joinToken}${reachability(node)}`;
}

/** The token carries this node's addresses; one of loopback leads the next machine to itself. */
function reachability(node: RunningNode): string {
  if (!/^(127\.|localhost|\[?::1)/.test(node.p2p)) return '';
  return `
That works on this machine only: peers reach this node at ${node.p2p}. For others start it with --p2p ADDRESS:8751.`;
}
