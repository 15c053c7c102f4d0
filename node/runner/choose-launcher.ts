import type { Logger } from 'pino';
import type { Launcher, Orphans } from './launcher.ts';
import { createNodeLauncher } from './launcher-node.ts';
import { createPosixSpawnLauncher } from './launcher-posix-spawn.ts';

/** posix_spawn where this machine's Node and C library have what it takes, else Node's own, which adopts nothing. */
export async function chooseLauncher(
  { logger }: { readonly logger: Logger },
  { prefer, orphans = 'leave' }: { readonly prefer: Launcher['name']; readonly orphans?: Orphans },
): Promise<Launcher> {
  if (prefer === 'posixSpawn') {
    try {
      return await createPosixSpawnLauncher({ orphans });
    } catch (err) {
      logger.warn({ err }, 'posix_spawn cannot be used here; starting jobs the slower way');
    }
  }
  return createNodeLauncher();
}
