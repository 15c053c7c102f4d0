import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { Fault, Rejection } from '../../src/errors.ts';
import { createClusterKey } from '../p2p/cluster-key.ts';
import { loadNodeKey, nodeIdOf } from '../p2p/identity.ts';
import { type BackupHead, readBackup } from '../storage/backup-codec.ts';
import { type DataFolder, openDataFolder } from '../storage/data-folder.ts';
import { syncFolder } from '../storage/durable-file.ts';
import { openLogStore } from '../storage/log-store.ts';
import { createSnapshotInbox } from '../storage/snapshot-inbox.ts';
import { storageError } from '../storage/storage-error.ts';
import { onlyVoter, refound } from './refounding.ts';

export interface Restored {
  readonly head: BackupHead;
  readonly nodeId: string;
  /** Of the new cluster. */
  readonly clusterId: string;
}

/**
 * Makes a data folder of a backup: a new node, the only voter of a new cluster with a key of its own. The folder is
 * there as a whole at the end or not at all.
 * @throws Rejection `conflict` when there is something in the folder already, `notFound`, `wrongVersion`; Fault
 *   `corrupt`, `diskFull`, `diskFailed`
 */
export async function restore(file: string, dataDir: string): Promise<Restored> {
  await expectNothing(dataDir);
  const building = `${dataDir}.restoring`;
  try {
    await rm(building, { recursive: true, force: true });
    await mkdir(dirname(dataDir), { recursive: true });
    const restored = await build(file, building);
    await rename(building, dataDir);
    await syncFolder(dirname(dataDir));
    return restored;
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    throw storageError(error, `restoring ${file} into ${dataDir}`);
  }
}

async function expectNothing(dataDir: string): Promise<void> {
  const names = await readdir(dataDir).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw storageError(error, `reading ${dataDir}`);
  });
  if (names.length > 0) throw new Rejection('conflict', `${dataDir} is not empty: restore into a new folder`);
}

async function build(file: string, dataDir: string): Promise<Restored> {
  const folder = await openDataFolder(dataDir);
  try {
    const { head, dump } = await readBackup(createReadStream(file, { highWaterMark: 1024 * 1024 }));
    const nodeId = nodeIdOf(await loadNodeKey(folder));
    const clusterId = uuidv7();
    await writeState(folder, head, dump);
    await writeLog(folder, head, nodeId, clusterId);
    await folder.writeSecret('cluster.key', Buffer.from(createClusterKey()).toString('base64url'));
    await folder.bindCluster(clusterId);
    return { head, nodeId, clusterId };
  } finally {
    await folder.close();
  }
}

async function writeState(folder: DataFolder, head: BackupHead, dump: AsyncIterable<Uint8Array>): Promise<void> {
  const received = await createSnapshotInbox(folder.parts.state).receive(dump);
  if (received.applied !== head.snapshot.index) throw new Fault('corrupt', 'the backup stands at another index');
  await (await received.install()).close();
}

/** The log begins behind the state, in a term that no member of the old cluster has seen. */
async function writeLog(folder: DataFolder, head: BackupHead, self: ReturnType<typeof nodeIdOf>, clusterId: string) {
  const log = await openLogStore(folder.parts.log);
  try {
    const { index, term } = head.snapshot;
    const snapshot = { index, term, configuration: onlyVoter(self) };
    const refounding = refound(self, clusterId, { index, term }, index);
    await log.persist({ seq: 1, truncateFrom: null, snapshot, messages: [], ...refounding });
  } finally {
    await log.close();
  }
}
