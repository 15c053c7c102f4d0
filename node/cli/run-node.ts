import { pino } from 'pino';
import { Rejection } from '../../src/errors.ts';
import type { NodeConfig } from '../config/config.ts';
import { type ConfigRequest, loadNodeConfig } from '../config/load-config.ts';
import type { RawSettings } from '../config/settings.ts';
import { splitLabels } from '../config/sources.ts';
import type { RunningNode } from '../node.ts';
import { createLogger } from '../observability/logger.ts';
import type { CommandContext, StopSignal } from './command-context.ts';
import { EXIT } from './exit-codes.ts';
import { exitCodeOfSignal } from './job-exit.ts';
import type { NodeOptions } from './node-options.ts';
import { UsageError } from './usage-error.ts';

/** @throws UsageError when a flag, a variable or the file is wrong */
export async function configFor(
  context: CommandContext,
  options: NodeOptions,
  defaults: Pick<ConfigRequest, 'mode' | 'defaultDataDir'>,
): Promise<NodeConfig> {
  // A person at a terminal is told what matters by this command itself.
  const defaultLogLevel = context.stderr.isTerminal ? 'warn' : 'info';
  try {
    const { config: file, json: _, ...flags } = options;
    return await loadNodeConfig({ ...defaults, flags: toSettings(flags), file, env: context.env, defaultLogLevel });
  } catch (error) {
    if (error instanceof Rejection) throw new UsageError(error.message, `quorate ${defaults.mode} --help`, error.code);
    throw error;
  }
}

function toSettings({ label, allowHost, ...same }: Omit<NodeOptions, 'config' | 'json'>): RawSettings {
  return {
    ...same,
    ...(label === undefined ? {} : { labels: splitLabels(label, '--label') }),
    ...(allowHost === undefined ? {} : { allowHosts: allowHost }),
  };
}

/**
 * Starts a node and keeps it until a signal stops it or it stops by itself. A second signal ends the process at once,
 * also while it starts.
 * @throws what `startNode` throws, or the error for which the node stopped by itself
 */
export async function runNode(
  context: CommandContext,
  config: NodeConfig,
  { json, welcome }: { readonly json: true | undefined; readonly welcome: (node: RunningNode) => string },
): Promise<void> {
  const stopping = Promise.withResolvers<StopSignal>();
  let signals = 0;
  const stopListening = context.onSignal((signal) => {
    signals += 1;
    if (signals > 1) process.exit(exitCodeOfSignal(signal) ?? EXIT.failed);
    stopping.resolve(signal);
  });
  try {
    const logger = createLogger(config.logLevel, pino.destination({ dest: 2, sync: true }));
    const { startNode } = await import('../node.ts');
    const node = await startNode(config, logger);
    if (json === true) await context.stdout.json(upView(node, config));
    else await context.stdout.line(welcome(node));
    const signal = await Promise.race([stopping.promise, node.stopped.then(() => null)]);
    if (signal === null) return;
    logger.info({ signal, onStop: config.onStop }, 'stopping');
    if (context.stderr.isTerminal) await context.stderr.line('quorate: stopping; once more ends it at once');
    await node.stop(config.onStop);
  } finally {
    stopListening();
  }
}

/** What programs are told; the tokens once, by the start that makes the cluster. */
function upView({ nodeId, clusterId, http, p2p, created }: RunningNode, { dataDir }: NodeConfig): object {
  return { nodeId, clusterId, http, p2p, dataDir, ...created };
}
