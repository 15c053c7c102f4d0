import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningNode } from '../node.ts';
import type { CommandContext } from './command-context.ts';
import { EXIT } from './exit-codes.ts';
import type { NodeOptions } from './node-options.ts';
import { configFor, runNode } from './run-node.ts';

export async function dev(context: CommandContext, _operands: readonly [], options: NodeOptions): Promise<number> {
  const temporary = join(tmpdir(), 'quorate-dev-');
  const config = await configFor(context, options, { mode: 'dev', defaultDataDir: temporary });
  if (config.dataDir !== temporary) {
    await runNode(context, config, {
      json: options.json,
      welcome: (node) => welcome(node, `its data stays in ${config.dataDir}`),
    });
    return EXIT.done;
  }
  const folder = await mkdtemp(temporary);
  try {
    const removed = 'its data is removed at the end (keep it with --data DIR)';
    await runNode(
      context,
      { ...config, dataDir: folder },
      {
        json: options.json,
        welcome: (node) => welcome(node, removed),
      },
    );
    return EXIT.done;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

function welcome(node: RunningNode, data: string): string {
  const prefix = node.http === 'http://127.0.0.1:8750' ? '' : `QUORATE_URL=${node.http} `;
  return `Quorate is up: a cluster of one at ${node.http}, no token needed; ${data}.

Now type, in another terminal:
  curl -d '{"command":["echo","hi"]}' ${node.http}/v1/jobs
  ${prefix}scripts/quorate run -- echo hi

Ctrl-C ends it and its jobs.`;
}
