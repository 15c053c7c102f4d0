import { z } from 'zod';
import type { JobId } from '../../src/ids.ts';
import { isFinal, type Job } from '../../src/jobs/job.ts';
import { DEFAULT_NAME } from '../../src/jobs/plan.ts';
import { keptUntil } from '../../src/jobs/retention.ts';
import { decodeRecord } from '../../src/state/codec.ts';
import type { Database } from './database.ts';
import type { JobsAmong, KeptJob } from './ports.ts';
import { seal, unseal } from './sealed.ts';
import { INDEX_ROWS, INDEX_VERSION_KEY, isJobKey } from './state-keys.ts';

/**
 * Rows that lead to jobs by what they have, so that nobody looks at all of them. They are derived from the jobs: written
 * and deleted in one batch with them, not part of a snapshot's bytes, and made anew where they are of another version.
 *
 *     #e · time that it is kept until, milliseconds in 16 digits · job id → index of its record    final jobs
 *     #s · state · NUL · job id                                                                   final jobs
 *     #g · group's id · NUL · job id                                                              jobs of a group
 *     #p · parent's id · NUL · job id                                                             children
 *     #j · project · NUL · job id                                                                 of named projects
 *     #d · schedule · NUL · job id                                                                of schedules
 *     #q · queue · NUL · job id                                                                   of named queues
 *
 * Jobs of the default project and queue have no rows there: what is asked of those is nearly all, and each row costs.
 */
const INDEX_VERSION = 2;
const KEPT_UNTIL = '#e';
const LETTERS: Readonly<Record<JobsAmong['by'], string>> = {
  finalState: '#s',
  group: '#g',
  parent: '#p',
  project: '#j',
  queue: '#q',
  schedule: '#d',
};
const NOTHING = new Uint8Array(0);
/** Sorts behind every id. */
const BEHIND_IDS = '~';
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
  const { id, plan, state } = job;
  const keys: string[] = [];
  if (plan.project !== DEFAULT_NAME) keys.push(prefixOf('project', plan.project) + id);
  if (plan.queue !== DEFAULT_NAME) keys.push(prefixOf('queue', plan.queue) + id);
  if (plan.group !== null) keys.push(prefixOf('group', plan.group) + id);
  if (plan.parent !== null) keys.push(prefixOf('parent', plan.parent) + id);
  if (job.schedule !== undefined) keys.push(prefixOf('schedule', job.schedule.name) + id);
  const rows = keys.map((key) => ({ key, value: NOTHING }));
  if (!isFinal(job)) return rows;
  const until = String(keptUntil(job)).padStart(TIME_DIGITS, '0');
  rows.push({ key: prefixOf('finalState', state) + id, value: NOTHING });
  rows.push({ key: KEPT_UNTIL + until + id, value: Buffer.from(String(job.index)) });
  return rows;
}

/** The rows of the jobs that have something in common, of ids below `before` only. */
export function rowsAmong(
  { by, value }: JobsAmong,
  before: string | null,
): { readonly gte: string; readonly lt: string } {
  const prefix = prefixOf(by, value);
  return { gte: prefix, lt: prefix + (before === null || before > BEHIND_IDS ? BEHIND_IDS : before) };
}

function prefixOf(by: JobsAmong['by'], value: string): string {
  return `${LETTERS[by]}${value}\0`;
}

export function jobIdOf(key: string): JobId {
  return key.slice(-JOB_ID_LENGTH) as JobId;
}

export function keptJobOf([key, value]: readonly [string, Uint8Array]): KeptJob {
  return {
    id: jobIdOf(key),
    index: Number(Buffer.from(value).toString()),
    until: Number(key.slice(2, -JOB_ID_LENGTH)),
  };
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
