import { resolve } from 'node:path';
import { defaultDataDir } from '../config/load-config.ts';
import { openSurvivor, type Survivor } from '../recovery/recover.ts';
import type { CommandContext } from './command-context.ts';
import { EXIT } from './exit-codes.ts';
import { fields, table } from './table.ts';
import { UsageError } from './usage-error.ts';

export interface OfflineOptions {
  readonly data?: string;
  readonly json?: true;
}

export interface RecoverOptions extends OfflineOptions {
  readonly yes?: true;
}

export async function recover(context: CommandContext, _: readonly [], options: RecoverOptions): Promise<number> {
  const dataDir = dataDirOf(context, options);
  const survivor = await openSurvivor(dataDir);
  try {
    const { recover: perform, close: _close, ...found } = survivor;
    if (options.json !== true) await context.stdout.line(describe(found, dataDir));
    if (options.yes !== true) {
      if (options.json === true) await context.stdout.json({ ...found, recoveredAs: null });
      throw new UsageError('nothing was changed yet', 'if every voter that is gone is gone for good: add --yes');
    }
    const recoveredAs = await perform();
    if (options.json === true) await context.stdout.json({ ...found, recoveredAs });
    else await context.stdout.line(`\n${done(recoveredAs, dataDir)}`);
    return EXIT.done;
  } finally {
    await survivor.close();
  }
}

export function dataDirOf({ env }: CommandContext, { data }: OfflineOptions): string {
  return resolve(data ?? (env['QUORATE_DATA'] || defaultDataDir(env)));
}

function describe(survivor: Survivor, dataDir: string): string {
  const { nodeId, clusterId, lastIndex, lastTerm, commitIndex, members } = survivor;
  const head = fields([
    ['data', dataDir],
    ['cluster', clusterId],
    ['last entry', `${lastIndex} of term ${lastTerm}; committed for certain: ${commitIndex}`],
  ]);
  const rows = members.map(({ id, role, http }) => [id, role, id === nodeId ? 'stays' : 'is left behind', http ?? '']);
  return `${head}

${table(['MEMBER', 'ROLE', '', 'HTTP'], rows)}

What was acknowledged behind entry ${lastIndex} is lost. If another data folder is left, look at it too, and recover
from the one whose last entry has the higher term, then the higher index. Attempts on the machines that are left
behind are lost, and their jobs are tried again as their retry says.`;
}

function done(clusterId: string, dataDir: string): string {
  return `Recovered as cluster ${clusterId}, with this node as its only voter. All tokens but join tokens stay good.

  quorate up --data ${dataDir}       start it, then make it three again:
  quorate token create --join

A former member joins as a new node, after \`quorate rejoin --join TOKEN\` on its machine.`;
}
