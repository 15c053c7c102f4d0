import type { Job } from '../../src/jobs/job.ts';
import { decodeRecord } from '../../src/state/codec.ts';
import type { Row, StateDatabase } from './state-database.ts';
import { readRows } from './state-database.ts';
import { FINAL_JOB_LETTER, TABLE_LETTERS } from './state-keys.ts';

/** Most lists are short pages of the newest. */
const FIRST_STEP = 32;

/** Live and final jobs as they are now, merged, newest id first; only ids below `before`. */
export async function* mergedJobs(database: StateDatabase, before: string | null): AsyncGenerator<Job> {
  const snapshot = database.snapshot();
  const newestFirst = (letter: string) =>
    readRows(database, {
      gte: letter,
      lt: before === null ? String.fromCharCode(letter.charCodeAt(0) + 1) : letter + before,
      reverse: true,
      step: FIRST_STEP,
      snapshot,
    });
  const live = newestFirst(TABLE_LETTERS.job);
  const final = newestFirst(FINAL_JOB_LETTER);
  try {
    yield* merge(live, final);
  } finally {
    await Promise.all([live.return(null), final.return(null)]);
    await snapshot.close();
  }
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
