import { join } from 'node:path';
import { z } from 'zod';
import { Fault } from '../../src/errors.ts';
import type { NodeFile } from '../config/config.ts';
import { readIfPresent } from './durable-file.ts';
import { storageError } from './storage-error.ts';

/** Small files in a data folder, which the command line reads too while the node runs. */
export const NODE_FILE = 'node.json';

/**
 * Readable by their owner only. `cluster.key`: the pre-shared key of the cluster's network; `introduction.json`: the
 * members that let this node in; `removed.json`: this node was removed from its cluster for good; `rejoin.json`: how it
 * joins anew at its next start.
 */
export type SecretName =
  'node.key' | 'cluster.key' | 'admin.token' | 'join.token' | 'introduction.json' | 'removed.json' | 'rejoin.json';

const nodeFileSchema = z.object({
  nodeId: z.string(),
  http: z.string(),
  p2p: z.string(),
  grpc: z.string().nullable(),
  pids: z.object({ node: z.int(), runner: z.int().nullable() }),
});

/** Null when there is none. @throws Fault `corrupt`, `diskFailed` */
export async function readNodeFile(folder: string): Promise<NodeFile | null> {
  const path = join(folder, NODE_FILE);
  const text = await read(path);
  if (text === null) return null;
  try {
    return nodeFileSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new Fault('corrupt', `${path} cannot be read`, { cause: error });
  }
}

/** Null when there is none. @throws Fault `diskFailed` */
export async function readSecret(folder: string, name: SecretName): Promise<string | null> {
  return read(join(folder, name));
}

async function read(path: string): Promise<string | null> {
  try {
    return (await readIfPresent(path))?.toString() ?? null;
  } catch (error) {
    throw storageError(error, `reading ${path}`);
  }
}
