import type { Stats } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { Fault, Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import { createClusterKey } from '../p2p/cluster-key.ts';
import { loadNodeKey, nodeIdOf } from '../p2p/identity.ts';
import { type BackupHead, readBackup } from '../storage/backup-codec.ts';
import { type DataFolder, openDataFolder } from '../storage/data-folder.ts';
import { syncFolder } from '../storage/durable-file.ts';
import { openLogStore } from '../storage/log-store.ts';
import { createSnapshotInbox } from '../storage/snapshot-inbox.ts';
import { storageError } from '../storage/storage-error.ts';
import { onlyVoter, refound } from './refounding.ts';

const READ_BYTES = 1024 * 1024;

export interface Restored {
  readonly head: BackupHead;
  readonly nodeId: string;
  /** Of the new cluster. */
  readonly clusterId: string;
}

/**
 * Makes a data folder of a backup: a new node, the only voter of a new cluster with a key of its own. The folder is
 * there as a whole at the end or not at all.
 * @throws Rejection `conflict` when there is something in the folder already, it is a mount point or another restore
 *   makes it, `notFound`, `wrongVersion`; Fault `corrupt`, `diskFull`, `diskFailed`
 */
export async function restore(file: string, dataDir: string): Promise<Restored> {
  const backup = await openBackup(file);
  try {
    await expectNothing(dataDir);
    await mkdir(dirname(dataDir), { recursive: true });
    return await restoreBeside(backup, dataDir);
  } catch (error) {
    throw storageError(error, `restoring ${file} into ${dataDir}`);
  } finally {
    await backup.close();
  }
}

async function openBackup(file: string): Promise<FileHandle> {
  try {
    return await open(file);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw new Rejection('notFound', `there is no file ${file}`);
    throw storageError(error, `reading ${file}`);
  }
}

async function expectNothing(dataDir: string): Promise<void> {
  const there = await statIfThere(dataDir);
  if (there === null) return;
  if ((await readdir(dataDir)).length > 0) {
    throw new Rejection('conflict', `${dataDir} is not empty: restore into a new folder`);
  }
  if (there.dev !== (await stat(dirname(dataDir))).dev) throw isMountPoint(dataDir);
}

async function restoreBeside(backup: FileHandle, dataDir: string): Promise<Restored> {
  const building = `${dataDir}.restoring`;
  await removeLeftover(building);
  const folder = await openDataFolder(building);
  try {
    const restored = await build(backup, folder);
    // It is held meanwhile, or another restore could take it for what a dead one left.
    await putInPlace(building, dataDir);
    return restored;
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    throw error;
  } finally {
    await folder.close();
  }
}

/** Of a restore that was killed; one that is under way holds it. @throws Rejection `conflict` */
async function removeLeftover(building: string): Promise<void> {
  if ((await statIfThere(building)) === null) return;
  await (await openDataFolder(building)).close();
  await rm(building, { recursive: true });
}

async function putInPlace(building: string, dataDir: string): Promise<void> {
  try {
    await rename(building, dataDir);
  } catch (error) {
    if (hasCode(error, 'EBUSY') || hasCode(error, 'EXDEV')) throw isMountPoint(dataDir);
    throw error;
  }
  await syncFolder(dirname(dataDir));
}

function isMountPoint(dataDir: string): Rejection {
  const way = 'restore into a folder below it, and start the node with that one';
  return new Rejection('conflict', `${dataDir} is a mount point, which cannot be put in place as a whole: ${way}`);
}

async function build(backup: FileHandle, folder: DataFolder): Promise<Restored> {
  const chunks = backup.createReadStream({ autoClose: false, highWaterMark: READ_BYTES });
  const { head, dump } = await readBackup(chunks);
  const nodeId = nodeIdOf(await loadNodeKey(folder));
  const clusterId = uuidv7();
  await writeState(folder, head, dump);
  await writeLog(folder, head, nodeId, clusterId);
  await folder.writeSecret('cluster.key', Buffer.from(createClusterKey()).toString('base64url'));
  await folder.rebind(clusterId, nodeId);
  return { head, nodeId, clusterId };
}

async function writeState(folder: DataFolder, head: BackupHead, dump: AsyncIterable<Uint8Array>): Promise<void> {
  const received = await createSnapshotInbox(folder.parts.state).receive(dump);
  if (received.applied !== head.snapshot.index) throw new Fault('corrupt', 'the backup stands at another index');
  await (await received.install()).close();
}

/** The log begins behind the state, in a term that no member of the old cluster has seen. */
async function writeLog(folder: DataFolder, head: BackupHead, self: NodeId, clusterId: string) {
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

async function statIfThere(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
