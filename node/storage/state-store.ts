import { join } from 'node:path';
import { AssertionError, Fault, assert } from '../../src/errors.ts';
import type { Index } from '../../raft/types.ts';
import type { StateRecord, StateTable } from '../../src/state/records.ts';
import { encodeDump } from './dump-codec.ts';
import { jobsAmong, liveJobs, mergedJobs } from './job-listing.ts';
import type { KeptJob, StateStore } from './ports.ts';
import { decodeRecord } from '../../src/state/codec.ts';
import type { StateDatabase } from './state-database.ts';
import {
  countRows,
  encodeApplied,
  flushDatabase,
  openStateDatabase,
  operationsOf,
  readApplied,
  readFormer,
  readJobRows,
  readParts,
  readRows,
  recordOf,
} from './state-database.ts';
import { ensureIndex, KEPT_UNTIL_ROWS, keptJobOf } from './state-index.ts';
import { findLiveState, finishSwitch, removeOtherStates } from './state-folder.ts';
import { ALL_RECORDS, APPLIED_KEY, FINAL_JOB_LETTER, LIVE_RECORDS, TABLE_LETTERS } from './state-keys.ts';
import { storageError } from './storage-error.ts';

/** Records encoded in one go, so that the event loop is not held for long. */
const GROUP_RECORDS = 2048;
/**
 * Changes wait this long for others. Records of jobs change several times within moments, and only the last value is
 * written; nobody waits for the database, which lags behind the log anyhow.
 */
const GATHER_MS = 50;

/** Rows of the index read at first. */
const FIRST_STEP = 16;

/**
 * Opens the state that counts below `parent`, or begins one, and removes what crashes left there. `logBegin` is the
 * index of the snapshot behind which the log begins, 0 without one.
 * @throws Fault `corrupt`, `diskFull`, `diskFailed`; Rejection `conflict`, `wrongVersion`
 */
export async function openStateStore(parent: string, logBegin: Index = 0): Promise<StateStore> {
  try {
    await finishSwitch(parent, logBegin);
    const live = await findLiveState(parent);
    await removeOtherStates(parent, live);
    return await openStateFolder(join(parent, live));
  } catch (error) {
    throw withWayBack(storageError(error, `opening the state in ${parent}`));
  }
}

function withWayBack(error: Error): Error {
  if (!(error instanceof Fault) || error.code !== 'corrupt') return error;
  const way = '`quorate rejoin` sets it aside and lets this node fetch the state from the others, as a new node.';
  return new Fault('corrupt', `${error.message}. ${way}`, { cause: error });
}

export async function openStateFolder(folder: string): Promise<StateStore> {
  const database = await openStateDatabase(folder);
  try {
    await ensureIndex(database, () => readJobRows(database));
    return createStateStore(database, await readApplied(database));
  } catch (error) {
    await database.close();
    throw error;
  }
}

interface Waiting {
  readonly records: readonly StateRecord[];
  readonly applied: Index;
  resolve(): void;
  reject(error: Error): void;
}

function createStateStore(database: StateDatabase, appliedAtOpening: Index): StateStore {
  let applied = appliedAtOpening;
  let asked = appliedAtOpening;
  let waiting: Waiting[] = [];
  let lastWrite: Promise<void> = Promise.resolve();
  /** The newest value of each record that the database does not hold yet. */
  const unwritten = new Map<string, StateRecord>();
  let writing: Promise<void> | null = null;
  let gathering: NodeJS.Timeout | null = null;
  let gathered = 0;
  let ended: Error | null = null;

  function write(records: readonly StateRecord[], index: Index): Promise<void> {
    if (ended !== null) return Promise.reject(ended);
    assert(index >= asked, 'the applied index never goes back');
    asked = index;
    for (const record of records) unwritten.set(nameOf(record.table, record.key), record);
    lastWrite = new Promise((resolve, reject) => {
      waiting.push({ records, applied: index, resolve, reject });
    });
    gathered += records.length;
    if (gathered >= GROUP_RECORDS) writeNow();
    else gathering ??= setTimeout(writeNow, GATHER_MS);
    return lastWrite;
  }

  function writeNow(): void {
    if (gathering !== null) clearTimeout(gathering);
    gathering = null;
    gathered = 0;
    if (waiting.length > 0) writing ??= writeAll();
  }

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) await writeGroup(takeGroup());
    writing = null;
  }

  function takeGroup(): readonly Waiting[] {
    let count = 0;
    const more = waiting.findIndex(({ records }) => (count += records.length) > GROUP_RECORDS);
    return waiting.splice(0, more === -1 ? waiting.length : Math.max(more, 1));
  }

  /** A record that changed several times within the group is encoded and written once. */
  async function writeGroup(group: readonly Waiting[]): Promise<void> {
    const changed = new Map<string, StateRecord>();
    for (const { records } of group)
      for (const record of records) changed.set(nameOf(record.table, record.key), record);
    const index = group.at(-1)?.applied ?? applied;
    try {
      const former = await readFormer(database, changed.values());
      const operations = [...changed.values()].flatMap((record) => operationsOf(record, former.get(record.key)));
      await database.batch([...operations, { type: 'put', key: APPLIED_KEY, value: encodeApplied(index) }]);
    } catch (error) {
      const failure = fail(error);
      for (const { reject } of group) reject(failure);
      return;
    }
    applied = index;
    for (const [name, record] of changed) if (unwritten.get(name) === record) unwritten.delete(name);
    for (const { resolve } of group) resolve();
  }

  function fail(error: unknown): Error {
    const failure = error instanceof AssertionError ? error : storageError(error, 'writing the state');
    ended ??= failure;
    const rejected = waiting;
    waiting = [];
    for (const { reject } of rejected) reject(failure);
    return failure;
  }

  /** Until the database holds every write that was asked for so far. */
  async function settled(): Promise<void> {
    writeNow();
    await lastWrite;
    if (ended !== null) throw ended;
  }

  async function reading<Result>(result: Promise<Result>): Promise<Result> {
    try {
      return await result;
    } catch (error) {
      throw storageError(error, 'reading the state');
    }
  }

  return {
    get applied() {
      return applied;
    },
    async *load() {
      await settled();
      for (const range of LIVE_RECORDS) for await (const rows of readParts(database, range)) yield rows.map(recordOf);
    },
    write,
    async get(table, key) {
      const newest = unwritten.get(nameOf(table, key));
      if (newest !== undefined) return newest.value as never;
      const keys = [TABLE_LETTERS[table] + key, ...(table === 'job' ? [FINAL_JOB_LETTER + key] : [])];
      const found = (await reading(database.getMany(keys))).find((value) => value !== undefined);
      return found === undefined ? null : (decodeRecord(table, found) as never);
    },
    async *jobs(before) {
      await settled();
      yield* mergedJobs(database, before);
    },
    async *jobsAmong(among, before) {
      await settled();
      yield* jobsAmong(database, among, before);
    },
    async *liveJobs(before) {
      await settled();
      yield* liveJobs(database, before);
    },
    async firstToGo(limit) {
      await settled();
      const rows: KeptJob[] = [];
      for await (const row of readRows(database, { ...KEPT_UNTIL_ROWS, step: FIRST_STEP })) {
        if (rows.push(keptJobOf(row)) >= limit) break;
      }
      return rows;
    },
    async countFinal() {
      await settled();
      return await countRows(database, KEPT_UNTIL_ROWS);
    },
    async flush() {
      await settled();
      try {
        await flushDatabase(database);
      } catch (error) {
        throw fail(error);
      }
    },
    async dump() {
      await settled();
      const snapshot = database.snapshot();
      const index = await readApplied(database, snapshot);
      return {
        applied: index,
        chunks: encodeDump(index, readRows(database, { ...ALL_RECORDS, snapshot })),
        close: () => snapshot.close(),
      };
    },
    async close() {
      ended ??= new Fault('stopping', 'the state is closed');
      writeNow();
      await writing;
      await database.close();
    },
  };
}

function nameOf(table: StateTable, key: string): string {
  return TABLE_LETTERS[table] + key;
}
