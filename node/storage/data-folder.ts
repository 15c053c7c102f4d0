import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Fault, Rejection } from '../../src/errors.ts';
import type { NodeFile } from '../config/config.ts';
import { createFolder } from './create-folder.ts';
import type { Database } from './database.ts';
import { openDatabase } from './database.ts';
import { readIfPresent, removeTemporaryFiles, syncFolder, writeDurably } from './durable-file.ts';
import type { SecretName } from './node-files.ts';
import { NODE_FILE, readNodeFile, readSecret } from './node-files.ts';
import { storageError } from './storage-error.ts';

/** Of everything below the data folder. It is raised when an older program could not read what a newer one wrote. */
export const FORMAT_VERSION = 1;
const FORMAT_FILE = 'format.json';

export interface FolderFormat {
  readonly version: number;
  readonly clusterId: string | null;
  /** The node that has begun its log here; from then on a log that is gone was lost. */
  readonly nodeId: string | null;
}

/** The folder of one node, held by this process until it is closed. */
export interface DataFolder {
  readonly path: string;
  readonly format: FolderFormat;
  /** Where each part keeps what is its own. */
  readonly parts: Readonly<Record<'log' | 'state' | 'blobs' | 'inputs' | 'runner', string>>;
  /** @throws Rejection `conflict` when the folder is another node's */
  bindNode(nodeId: string): Promise<void>;
  /** @throws Rejection `wrongCluster` when the folder is of another cluster */
  bindCluster(clusterId: string): Promise<void>;
  /** The folder goes on as one of another cluster, after a recovery, or of another node, which joins anew: null. */
  rebind(clusterId: string, nodeId: string | null): Promise<void>;
  writeNodeFile(file: NodeFile): Promise<void>;
  readNodeFile(): Promise<NodeFile | null>;
  writeSecret(name: SecretName, text: string): Promise<void>;
  readSecret(name: SecretName): Promise<string | null>;
  /** For good: no loss of power brings it back. */
  removeSecret(name: SecretName): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the folder of a node that was started before; makes none. @throws as `openDataFolder`; Rejection `notFound`,
 * `forbidden` when it is another user's
 */
export async function openNodeFolder(
  path: string,
): Promise<{ readonly folder: DataFolder; readonly clusterId: string }> {
  if ((await telling(path, () => readIfPresent(join(path, FORMAT_FILE)))) === null) throw noNode(path);
  await expectOwnUser(path);
  const folder = await openDataFolder(path);
  const { clusterId } = folder.format;
  if (clusterId !== null) return { folder, clusterId };
  await folder.close();
  throw noNode(path);
}

/** What another user, as root, writes into the folder, the node could not open any more. */
async function expectOwnUser(path: string): Promise<void> {
  const { uid } = await telling(path, () => stat(join(path, FORMAT_FILE)));
  const own = process.getuid?.() ?? uid;
  if (uid === own) return;
  const way = `do this as that user: sudo -u '#${uid}' quorate …`;
  throw new Rejection('forbidden', `the node of ${path} runs as user ${uid}, and this is user ${own}; ${way}`);
}

function noNode(path: string): Rejection {
  return new Rejection('notFound', `${path} is not the data folder of a node of a cluster`);
}

/**
 * Opens a data folder, or makes one that only its owner can read.
 * @throws Rejection `conflict` when another node uses it, `wrongVersion` when a newer program wrote it;
 *   Fault `corrupt`, `diskFull`, `diskFailed`
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const lock = await telling(path, () => takeLock(path));
  try {
    await telling(path, () => removeTemporaryFiles(path));
    return await telling(path, async () => createDataFolder(path, lock, await readFormat(path)));
  } catch (error) {
    await lock.close();
    throw error;
  }
}

async function telling<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error, `the data folder ${path}`);
  }
}

/** A LevelDB that holds nothing: its lock is the operating system's, so it dies with the process. */
async function takeLock(path: string): Promise<Database<string>> {
  await createFolder(path, 0o700);
  const folder = join(path, 'lock');
  const pidFile = join(path, 'lock.pid');
  try {
    const options = { keys: 'utf8', compression: 'none', writeBufferBytes: 64 * 1024, cacheBytes: 0 } as const;
    const lock = await openDatabase<string>(folder, options);
    await writeFile(pidFile, `${process.pid}\n`, { mode: 0o600 });
    return lock;
  } catch (error) {
    if (!(error instanceof Rejection) || error.code !== 'conflict') throw error;
    const pid = (await readIfPresent(pidFile))?.toString().trim() ?? 'unknown';
    throw new Rejection('conflict', `another node uses the data folder ${path}: process ${pid}`);
  }
}

const versionSchema = z.object({ version: z.int().positive() });
const formatSchema = versionSchema.extend({
  clusterId: z.string().nullable(),
  nodeId: z.string().nullable(),
});

async function readFormat(path: string): Promise<FolderFormat> {
  const file = join(path, FORMAT_FILE);
  const text = await readIfPresent(file);
  if (text === null) {
    const format: FolderFormat = { version: FORMAT_VERSION, clusterId: null, nodeId: null };
    await writeFormat(path, format);
    return format;
  }
  const json = parseJson(text.toString());
  const known = versionSchema.safeParse(json);
  if (known.success && known.data.version > FORMAT_VERSION) {
    const newer = `has format ${known.data.version}; this program knows up to ${FORMAT_VERSION}`;
    throw new Rejection('wrongVersion', `the data folder ${path} ${newer}: use a newer one`);
  }
  const format = formatSchema.safeParse(json);
  if (!format.success) throw new Fault('corrupt', `${file} cannot be read: ${format.error.message}`);
  return format.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function writeFormat(path: string, format: FolderFormat): Promise<void> {
  return writeDurably(join(path, FORMAT_FILE), `${JSON.stringify(format)}\n`, 0o600);
}

function createDataFolder(path: string, lock: Database<string>, read: FolderFormat): DataFolder {
  let format = read;

  async function change(bound: Partial<FolderFormat>): Promise<void> {
    const next = { ...format, ...bound };
    await telling(path, () => writeFormat(path, next));
    format = next;
  }

  return {
    path,
    get format() {
      return format;
    },
    parts: {
      log: join(path, 'log'),
      state: join(path, 'state'),
      blobs: join(path, 'blobs'),
      inputs: join(path, 'inputs'),
      runner: join(path, 'runner'),
    },
    async bindNode(nodeId) {
      if (format.nodeId === nodeId) return;
      if (format.nodeId !== null) {
        throw new Rejection('conflict', `the data folder ${path} is of node ${format.nodeId}, this is ${nodeId}`);
      }
      await change({ nodeId });
    },
    async bindCluster(clusterId) {
      if (format.clusterId === clusterId) return;
      if (format.clusterId !== null) {
        throw new Rejection(
          'wrongCluster',
          `the data folder ${path} is of cluster ${format.clusterId}, not of ${clusterId}: use another folder`,
        );
      }
      await change({ clusterId });
    },
    rebind: (clusterId, nodeId) => change({ clusterId, nodeId }),
    writeNodeFile: (file) =>
      telling(path, () => writeDurably(join(path, NODE_FILE), `${JSON.stringify(file, null, 2)}\n`, 0o600)),
    readNodeFile: () => readNodeFile(path),
    writeSecret: (name, text) => telling(path, () => writeDurably(join(path, name), text, 0o600)),
    readSecret: (name) => readSecret(path, name),
    removeSecret: (name) =>
      telling(path, async () => {
        await rm(join(path, name), { force: true });
        await syncFolder(path);
      }),
    async close() {
      await rm(join(path, 'lock.pid'), { force: true });
      await lock.close();
    },
  };
}
