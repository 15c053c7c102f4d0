import { restore as restoreBackup } from '../recovery/restore.ts';
import type { CommandContext } from './command-context.ts';
import { EXIT } from './exit-codes.ts';
import { dataDirOf, type OfflineOptions } from './recover.ts';

export async function restore(
  context: CommandContext,
  [file]: readonly [file: string],
  options: OfflineOptions,
): Promise<number> {
  const dataDir = dataDirOf(context, options);
  const { head, nodeId, clusterId } = await restoreBackup(file, dataDir);
  if (options.json === true) {
    await context.stdout.json({ dataDir, nodeId, clusterId, from: head });
    return EXIT.done;
  }
  await context.stdout.line(`Restored cluster ${head.clusterId} as of ${head.madeAt} as the new cluster ${clusterId}.

  quorate up --data ${dataDir}       start it, then let others join:
  quorate token create --join

All tokens but join tokens are as they were. What jobs wrote, and blobs, are not in a backup.`);
  return EXIT.done;
}
