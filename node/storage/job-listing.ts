import type { Job } from '../../src/jobs/job.ts';
import { decodeRecord } from '../../src/state/codec.ts';
import type { JobsAmong } from './ports.ts';
import type { Row, StateDatabase } from './state-database.ts';
import { readRows } from './state-database.ts';
import { jobIdOf, rowsAmong } from './state-index.ts';
import { FINAL_JOB_LETTER, TABLE_LETTERS } from './state-keys.ts';

/** Most lists are short pages of the newest. */
const FIRST_STEP = 32;
const LAST_STEP = 256;

/** Live and final jobs as they are now, merged, newest id first; only ids below `before`. */
export async function* mergedJobs(database: StateDatabase, before: string | null): AsyncGenerator<Job> {
  const snapshot = database.snapshot();
  const live = readRows(database, { ...newestFirst(TABLE_LETTERS.job, before), snapshot });
  const final = readRows(database, { ...newestFirst(FINAL_JOB_LETTER, before), snapshot });
  try {
    yield* merge(live, final);
  } finally {
    await Promise.all([live.return(null), final.return(null)]);
    await snapshot.close();
  }
}

/** Live jobs as they are now, newest id first; only ids below `before`. */
export async function* liveJobs(database: StateDatabase, before: string | null): AsyncGenerator<Job> {
  for await (const row of readRows(database, newestFirst(TABLE_LETTERS.job, before))) yield jobOf(row);
}

/** Live and final jobs that have something in common, by the index, newest id first; only ids below `before`. */
export async function* jobsAmong(
  database: StateDatabase,
  among: JobsAmong,
  before: string | null,
): AsyncGenerator<Job> {
  const letters = among.by === 'finalState' ? [FINAL_JOB_LETTER] : [FINAL_JOB_LETTER, TABLE_LETTERS.job];
  const snapshot = database.snapshot();
  const rows = database.keys({ ...rowsAmong(among, before), reverse: true, fillCache: false, snapshot });
  try {
    for (let step = FIRST_STEP; ; step = Math.min(step * 2, LAST_STEP)) {
      const some = await rows.nextv(step);
      if (some.length === 0) return;
      const ids = some.map(jobIdOf);
      const keys = ids.flatMap((id) => letters.map((letter) => letter + id));
      for (const value of await database.getMany(keys, { snapshot, fillCache: false })) {
        if (value !== undefined) yield decodeRecord('job', value);
      }
    }
  } finally {
    await rows.close();
    await snapshot.close();
  }
}

function newestFirst(letter: string, before: string | null) {
  const behind = String.fromCharCode(letter.charCodeAt(0) + 1);
  return { gte: letter, lt: before === null ? behind : letter + before, reverse: true, step: FIRST_STEP } as const;
}

async function* merge(left: AsyncGenerator<Row>, right: AsyncGenerator<Row>): AsyncGenerator<Job> {
  let a = await left.next();
  let b = await right.next();
  while (a.done !== true || b.done !== true) {
    if (b.done === true || (a.done !== true && idOf(a.value) > idOf(b.value))) {
      yield jobOf(a.value);
      a = await left.next();
    } else {
      yield jobOf(b.value);
      b = await right.next();
    }
  }
}

function idOf([key]: Row): string {
  return key.slice(1);
}

function jobOf([, value]: Row): Job {
  return decodeRecord('job', value);
}
