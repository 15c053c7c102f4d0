import { z } from 'zod';
import { Fault } from '../../src/errors.ts';
import type { Job } from '../../src/jobs/job.ts';
import type { Index } from '../../raft/types.ts';
import type { StateRecord, StateTable } from '../../src/state/records.ts';
import type { Database } from './database.ts';
import { openDatabase } from './database.ts';
import { decodeRecord, encodeRecord } from '../../src/state/codec.ts';
import { seal, unseal } from './sealed.ts';
import { indexRowsOf } from './state-index.ts';
import {
  APPLIED_KEY,
  EMPTY_RANGE,
  FINAL_JOB_LETTER,
  FLUSHED_KEY,
  JOB_RECORDS,
  placeOf,
  TABLE_LETTERS,
  tableOf,
} from './state-keys.ts';
import { trimToPrefix } from './wal-prefix.ts';

export type StateDatabase = Database<string>;
export type Row = [key: string, value: Uint8Array];
type Snapshot = ReturnType<StateDatabase['snapshot']>;

export interface RowRange {
  readonly gte?: string;
  readonly lt?: string;
  readonly reverse?: true;
  /** Rows read together; grows to what is usual. */
  readonly step?: number;
  readonly snapshot?: Snapshot;
}

const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;
const CACHE_BYTES = 32 * 1024 * 1024;
const READ_ROWS = 256;
const COUNT_ROWS = 2048;
const READ_BYTES = 256 * 1024;

export async function openStateDatabase(folder: string): Promise<StateDatabase> {
  await trimToPrefix(folder);
  return openDatabase<string>(folder, {
    keys: 'utf8',
    compression: 'snappy',
    writeBufferBytes: WRITE_BUFFER_BYTES,
    cacheBytes: CACHE_BYTES,
  });
}

const appliedSchema = z.int().nonnegative();

export const encodeApplied: (applied: Index) => Uint8Array = seal;

/** @throws Fault `corrupt`, Rejection `wrongVersion` */
export async function readApplied(database: StateDatabase, snapshot?: Snapshot): Promise<Index> {
  const stored = await database.get(APPLIED_KEY, snapshot === undefined ? {} : { snapshot });
  return stored === undefined ? 0 : unseal(stored, appliedSchema, 'the applied index');
}

export async function* readJobRows(database: StateDatabase): AsyncGenerator<Row> {
  for (const range of JOB_RECORDS) yield* readRows(database, range);
}

/**
 * Makes all that was written to a database durable, without a sync in its write path. LevelDB 1.20's CompactRange calls
 * TEST_CompactMemTable before it looks at the range (db_impl.cc): it waits until the memtable is a synced table that
 * the synced manifest names. It tells no error; but a failed one makes every later write fail, so one is made.
 */
export async function flushDatabase(database: StateDatabase): Promise<void> {
  await database.compactRange(EMPTY_RANGE.start, EMPTY_RANGE.end);
  await database.put(FLUSHED_KEY, new Uint8Array(0));
}

export async function* readRows(database: StateDatabase, range: RowRange): AsyncGenerator<Row> {
  const { step = READ_ROWS, ...options } = range;
  const iterator = database.iterator({ ...options, fillCache: false, highWaterMarkBytes: READ_BYTES });
  try {
    for (let size = step; ; size = Math.min(size * 2, READ_ROWS)) {
      const rows = await iterator.nextv(size);
      if (rows.length === 0) return;
      yield* rows;
    }
  } finally {
    await iterator.close();
  }
}

/** The same rows, some at a time; the next are read while those are worked on. */
export async function* readParts(
  database: StateDatabase,
  range: Pick<RowRange, 'gte' | 'lt'>,
): AsyncGenerator<readonly Row[]> {
  const iterator = database.iterator({ ...range, fillCache: false, highWaterMarkBytes: READ_BYTES });
  const read = (): Promise<Row[]> => {
    const rows = iterator.nextv(READ_ROWS);
    // It may fail before anyone waits for it.
    rows.catch(() => undefined);
    return rows;
  };
  let next = read();
  try {
    for (;;) {
      const rows = await next;
      if (rows.length === 0) return;
      next = read();
      yield rows;
    }
  } finally {
    await next.catch(() => undefined);
    await iterator.close();
  }
}

export async function countRows(database: StateDatabase, range: Pick<RowRange, 'gte' | 'lt'>): Promise<number> {
  const keys = database.keys({ ...range, fillCache: false, highWaterMarkBytes: READ_BYTES });
  try {
    let count = 0;
    for (;;) {
      const some = await keys.nextv(COUNT_ROWS);
      if (some.length === 0) return count;
      count += some.length;
    }
  } finally {
    await keys.close();
  }
}

type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string };

/**
 * The jobs as they are stored that may stand in the index otherwise than these records tell: only one that is purged or
 * was revived has left something there that is not told by its own record.
 */
export async function readFormer(
  database: StateDatabase,
  records: Iterable<StateRecord>,
): Promise<ReadonlyMap<string, Job>> {
  const keys: string[] = [];
  for (const { table, key, value } of records) {
    if (table !== 'job' || (value !== null && (value.revivals ?? 0) === 0)) continue;
    keys.push(TABLE_LETTERS.job + key, FINAL_JOB_LETTER + key);
  }
  const former = new Map<string, Job>();
  if (keys.length === 0) return former;
  for (const stored of await database.getMany(keys)) {
    if (stored === undefined) continue;
    const job = decodeRecord('job', stored);
    former.set(job.id, job);
  }
  return former;
}

/**
 * A job that becomes final moves to the table of final jobs, one that is retried moves back.
 * @param former what `readFormer` found of it
 */
export function operationsOf(record: StateRecord, former: Job | undefined): Operation[] {
  const { at, not } = placeOf(record);
  const operations: Operation[] =
    former === undefined ? [] : indexRowsOf(former).map(({ key }) => ({ type: 'del', key }));
  operations.push(
    record.value === null
      ? { type: 'del', key: at }
      : { type: 'put', key: at, value: encodeRecord(record.table, record.value) },
  );
  if (not !== null) operations.push({ type: 'del', key: not });
  if (record.table === 'job' && record.value !== null) {
    for (const row of indexRowsOf(record.value)) operations.push({ type: 'put', ...row });
  }
  return operations;
}

export function recordOf([key, value]: Row): StateRecord {
  const table = tableOf(key);
  if (table === null) throw new Fault('corrupt', `the state holds a key of no table: ${JSON.stringify(key)}`);
  return recordAs(table, key.slice(1), value);
}

function recordAs<Table extends StateTable>(table: Table, key: string, value: Uint8Array): StateRecord {
  return { table, key, value: decodeRecord(table, value) } as unknown as StateRecord;
}
