import { isFinal } from '../../src/jobs/job.ts';
import type { StateRecord, StateTable } from '../../src/state/records.ts';

/**
 * The keys of the state database: the table's letter and the record's key. Final jobs have a letter of their own, so
 * that a start need not read them. Keys of the store itself begin with `!`, those of the index (state-index.ts) with `#`:
 * both sort before every table.
 */
export const TABLE_LETTERS: Readonly<Record<StateTable, string>> = {
  cluster: 'c',
  job: 'j',
  runner: 'r',
  node: 'n',
  token: 't',
  joinToken: 'o',
  idempotency: 'i',
  proposer: 'p',
  revived: 'v',
  removed: 'x',
  group: 'g',
  followUp: 'u',
  queue: 'q',
  schedule: 's',
};
export const FINAL_JOB_LETTER = 'f';

export const APPLIED_KEY = '!applied';
export const FLUSHED_KEY = '!flushed';
/** The version of the rows in `INDEX_ROWS`. */
export const INDEX_VERSION_KEY = '!index';
export const INDEX_ROWS = { gte: '#', lt: '$' } as const;
/** All records, of every table. */
export const ALL_RECORDS = { gte: 'a', lt: '~' } as const;
/** All records but final jobs. */
export const LIVE_RECORDS = [
  { gte: 'a', lt: FINAL_JOB_LETTER },
  { gte: 'g', lt: '~' },
] as const;
/** Holds no key, and lies behind all of them. */
export const EMPTY_RANGE = { start: '~', end: '~~' } as const;

const TABLES = new Map(Object.entries(TABLE_LETTERS).map(([table, letter]) => [letter, table as StateTable]));
TABLES.set(FINAL_JOB_LETTER, 'job');

/** Null for a key of no table that is known. */
export function tableOf(key: string): StateTable | null {
  return TABLES.get(key.charAt(0)) ?? null;
}

/** Of live and final jobs. */
export const JOB_RECORDS = [
  { gte: FINAL_JOB_LETTER, lt: 'g' },
  { gte: TABLE_LETTERS.job, lt: 'k' },
] as const;

export function isJobKey(key: string): boolean {
  return tableOf(key) === 'job';
}

export interface Place {
  readonly at: string;
  /** Where the same record may be from before and must not stay. */
  readonly not: string | null;
}

export function placeOf(record: StateRecord): Place {
  if (record.table !== 'job') return { at: TABLE_LETTERS[record.table] + record.key, not: null };
  const live = TABLE_LETTERS.job + record.key;
  const final = FINAL_JOB_LETTER + record.key;
  return record.value !== null && isFinal(record.value) ? { at: final, not: live } : { at: live, not: final };
}
