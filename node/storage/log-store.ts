import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { AssertionError, Fault } from '../../src/errors.ts';
import type { PersistRequest } from '../../raft/effects.ts';
import type { SnapshotMeta } from '../../raft/types.ts';
import type { Database } from './database.ts';
import { openDatabase } from './database.ts';
import { removeTemporaryFiles, syncFolder } from './durable-file.ts';
import { buildChange, settle } from './log-change.ts';
import type { Log, LogChange } from './log-change.ts';
import type { LoadedLog } from './log-load.ts';
import { loadLog } from './log-load.ts';
import type { LogWrite } from './log-plan.ts';
import { planWrites, writeBytes } from './log-plan.ts';
import { createPurge } from './log-purge.ts';
import type { Purge } from './log-purge.ts';
import type { LogStore } from './ports.ts';
import { storageError } from './storage-error.ts';
import type { VoteFile } from './vote-file.ts';
import { voteFileAt } from './vote-file.ts';

export interface LogStoreOptions {
  /** Writes that wait are merged into one batch up to this many bytes of entries. */
  readonly groupBytes: number;
  /** `existing`: one that is not there was lost. */
  readonly expected: 'any' | 'existing';
}

const DEFAULTS: LogStoreOptions = { groupBytes: 8 * 1024 * 1024, expected: 'any' };
const DATABASE = 'entries';
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;
const CACHE_BYTES = 1024 * 1024;

/**
 * Opens the Raft log in a folder of its own, or begins one there.
 * @throws Fault `corrupt` when the disk does not hold what was synced: the node must not vote; `diskFull`, `diskFailed`;
 *   Rejection `conflict`, `wrongVersion`
 */
export async function openLogStore(folder: string, options: Partial<LogStoreOptions> = {}): Promise<LogStore> {
  const voteFile = voteFileAt(join(folder, 'vote'));
  let database: Database<Uint8Array> | null = null;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (options.expected === 'existing' && !(await readdir(folder)).includes(DATABASE)) {
      throw new Fault('corrupt', 'the log is gone');
    }
    await removeTemporaryFiles(folder);
    const ballot = await voteFile.read();
    database = await openDatabase<Uint8Array>(join(folder, DATABASE), {
      keys: 'view',
      compression: 'none',
      writeBufferBytes: WRITE_BUFFER_BYTES,
      cacheBytes: CACHE_BYTES,
    });
    const loaded = await loadLog(database, ballot);
    const { term, vote } = loaded.head;
    if (ballot === null || ballot.term !== term || ballot.vote !== vote) await voteFile.write({ term, vote });
    await syncFolder(folder);
    return createLogStore({ database, voteFile, log: loaded }, { ...DEFAULTS, ...options });
  } catch (error) {
    await database?.close();
    throw withWayBack(storageError(error, `opening the log in ${folder}`));
  }
}

function withWayBack(error: Error): Error {
  if (!(error instanceof Fault) || error.code !== 'corrupt') return error;
  const way =
    'This node must not vote any more, since it may have forgotten what it promised. `quorate rejoin` sets its log ' +
    'aside and lets it join again with a join token: it comes back as a new node.';
  return new Fault('corrupt', `${error.message}. ${way}`, { cause: error });
}

export interface LogStoreDependencies {
  readonly database: Database<Uint8Array>;
  readonly voteFile: VoteFile;
  readonly log: LoadedLog;
}

interface Waiting {
  readonly write: LogWrite;
  resolve(): void;
  reject(error: Error): void;
}

type SyncListener = Parameters<LogStore['onSync']>[0];

/** A store over an open database; `openLogStore` is what a node uses. */
export function createLogStore(
  { database, voteFile, log: loaded }: LogStoreDependencies,
  options: Pick<LogStoreOptions, 'groupBytes'>,
): LogStore {
  const { term, vote, commit } = loaded.head;
  const listeners: SyncListener[] = [];
  const purge: Purge = createPurge(database, fail);
  const { head, snapshot, blocks, configurations } = loaded;
  let log: Log = { head, snapshot, blocks, configurations };
  let { entries } = loaded;
  purge.remove(loaded.unpurged);
  let waiting: Waiting[] = [];
  let writing: Promise<void> | null = null;
  /** Why nothing is taken any more. */
  let ended: Error | null = null;

  function ask(write: LogWrite): Promise<void> {
    if (ended !== null) return Promise.reject(ended);
    return new Promise((resolve, reject) => {
      waiting.push({ write, resolve, reject });
      writing ??= writeAll();
    });
  }

  async function writeAll(): Promise<void> {
    // A turn of the event loop's microtasks, so that calls made together share the first sync too.
    await Promise.resolve();
    while (waiting.length > 0) await writeGroup(takeGroup());
    writing = null;
  }

  function takeGroup(): readonly Waiting[] {
    let bytes = 0;
    const more = waiting.findIndex(({ write }) => (bytes += writeBytes(write)) > options.groupBytes);
    return waiting.splice(0, more === -1 ? waiting.length : Math.max(more, 1));
  }

  async function writeGroup(group: readonly Waiting[]): Promise<void> {
    try {
      await apply(group.map(({ write }) => write));
    } catch (error) {
      const failure = fail(error);
      for (const { reject } of group) reject(failure);
      return;
    }
    for (const { resolve } of group) resolve();
  }

  async function apply(writes: readonly LogWrite[]): Promise<void> {
    const { head, snapshot } = log;
    const hardState = { term: head.term, vote: head.vote, commit: head.commit };
    const plan = planWrites({ hardState, snapshot, first: head.first, last: head.last }, writes);
    const change = await buildChange(database, log, plan, purge.oldest());
    if (change === null) return;
    await sync(change);
    // Only behind the database, so that the file is never ahead of it.
    if (change.head.term !== head.term || change.head.vote !== head.vote) await voteFile.write(change.head);
    const settled = settle(log, change);
    log = settled.log;
    purge.remove(settled.purged);
  }

  async function sync({ operations, entries, bytes }: LogChange): Promise<void> {
    const started = performance.now();
    await database.batch([...operations], { sync: true });
    const ms = performance.now() - started;
    for (const listener of listeners) listener({ ms, entries, bytes });
  }

  /** After a failed sync nobody knows what is on disk: only a restart, which reads it, may go on. */
  function fail(error: unknown): Error {
    const failure = error instanceof AssertionError ? error : storageError(error, 'writing the log');
    ended ??= failure;
    const rejected = waiting;
    waiting = [];
    for (const { reject } of rejected) reject(failure);
    return failure;
  }

  return {
    get loaded() {
      return { hardState: { term, vote, commit }, snapshot, entries };
    },
    forgetEntries() {
      entries = [];
    },
    persist: (request: PersistRequest) => ask({ kind: 'persist', request }),
    compact: (meta: SnapshotMeta) => ask({ kind: 'compact', meta }),
    onSync(listener) {
      listeners.push(listener);
    },
    async close() {
      ended ??= new Fault('stopping', 'the log is closed');
      await writing;
      await purge.stop();
      await database.close();
    },
  };
}
