import { z } from 'zod';
import type { JobId } from '../../src/ids.ts';
import { isFinal, type Job } from '../../src/jobs/job.ts';
import { keptUntil } from '../../src/jobs/retention.ts';
import { decodeRecord } from '../../src/state/codec.ts';
import type { Database } from './database.ts';
import type { KeptJob } from './ports.ts';
import { seal, unseal } from './sealed.ts';
import { INDEX_ROWS, INDEX_VERSION_KEY, isJobKey } from './state-keys.ts';

/**
 * Rows that lead to jobs by what they have, so that nobody looks at all of them. They are derived from the jobs: written
 * and deleted in one batch with them, not part of a snapshot's bytes, and made anew where they are of another version.
 *
 *     #e · when its time is over, milliseconds in 16 digits · job id → the index of its record      final jobs
 */
const INDEX_VERSION = 1;
const KEPT_UNTIL = '#e';
const TIME_DIGITS = 16;
const JOB_ID_LENGTH = 36;
/** Rows that are written together when all are made anew. */
const REBUILD_ROWS = 1000;

export const KEPT_UNTIL_ROWS = { gte: KEPT_UNTIL, lt: '#f' } as const;

export interface IndexRow {
  readonly key: string;
  readonly value: Uint8Array;
}

export function indexRowsOf(job: Job): IndexRow[] {
  if (!isFinal(job)) return [];
  const until = String(keptUntil(job)).padStart(TIME_DIGITS, '0');
  return [{ key: KEPT_UNTIL + until + job.id, value: Buffer.from(String(job.index)) }];
}

export function keptJobOf([key, value]: readonly [string, Uint8Array]): KeptJob {
  const id = key.slice(-JOB_ID_LENGTH) as JobId;
  return { id, index: Number(Buffer.from(value).toString()), until: Number(key.slice(2, -JOB_ID_LENGTH)) };
}

/** The index rows of rows that hold records. */
export function indexRowsOfAll(rows: readonly (readonly [string, Uint8Array])[]): IndexRow[] {
  return rows.flatMap(([key, value]) => (isJobKey(key) ? indexRowsOf(decodeRecord('job', value)) : []));
}

export function encodeIndexVersion(): Uint8Array {
  return seal(INDEX_VERSION);
}

/** Makes all index rows anew where they are missing or of another version. */
export async function ensureIndex(
  database: Database<string>,
  rowsOfJobs: () => AsyncIterable<[string, Uint8Array]>,
): Promise<void> {
  const stored = await database.get(INDEX_VERSION_KEY);
  if (stored !== undefined && unseal(stored, z.int(), 'the version of the index') === INDEX_VERSION) return;
  await database.clear(INDEX_ROWS);
  let rows: [string, Uint8Array][] = [];
  const writeRows = async () => {
    await database.batch(indexRowsOfAll(rows).map((row) => ({ type: 'put', ...row })));
    rows = [];
  };
  for await (const row of rowsOfJobs()) if (rows.push(row) >= REBUILD_ROWS) await writeRows();
  await writeRows();
  await database.put(INDEX_VERSION_KEY, encodeIndexVersion());
}
