import type { Logger } from 'pino';
import { Rejection } from '../src/errors.ts';
import type { DataFolder } from './storage/data-folder.ts';

const NOTE = 'removed.json';
/** Others may still have to hear from this node that the removal is committed, and whoever asked it has to be answered. */
const LINGER_MS = 1_500;

/** @throws Rejection `memberRemoved` when an earlier start found that this node was removed */
export async function expectNotRemoved(folder: DataFolder): Promise<void> {
  if ((await folder.readSecret(NOTE)) !== null) throw memberRemoved(folder.path);
}

/** Ends a node that was removed, and leaves a note so that the next start is told at once. @throws Rejection always */
export async function leaveCluster(
  { folder, logger }: { readonly folder: DataFolder; readonly logger: Logger },
  stop: () => Promise<void>,
): Promise<never> {
  logger.error({ folder: folder.path }, 'this node was removed from the cluster: it ends its jobs and stops');
  await folder.writeSecret(NOTE, '{}\n');
  await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
  await stop();
  throw memberRemoved(folder.path);
}

function memberRemoved(path: string): Rejection {
  return new Rejection(
    'memberRemoved',
    `this node was removed from its cluster and cannot come back with the data folder ${path}; \`quorate rejoin\` makes it a new node`,
  );
}
