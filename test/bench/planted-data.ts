import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { openLogStore } from '../../node/storage/log-store.ts';
import { openStateStore } from '../../node/storage/state-store.ts';
import type { Entry, SnapshotMeta } from '../../raft/types.ts';
import type { JobId, NodeId } from '../../src/ids.ts';
import type { Job } from '../../src/jobs/job.ts';
import { planOf } from '../../src/jobs/plan.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import { SYSTEM } from '../../src/auth.ts';
import { encodeEntry } from '../../src/state/codec.ts';
import { smallCommand } from './proposing.ts';

const ENTRIES_TOGETHER = 5_000;
const JOBS_TOGETHER = 2_000;
const ORIGIN = 'bench';

/** What years of use would have left in the folder of a node that does not run, written by the node's own storage. */
export async function plantEntries(dataDir: string, count: number): Promise<void> {
  const log = await openLogStore(join(dataDir, 'log'));
  try {
    const { hardState, entries: loaded, snapshot } = log.loaded;
    const begin = loaded.at(-1)?.index ?? snapshot?.index ?? 0;
    for (let done = 0; done < count;) {
      const entries = Array.from({ length: Math.min(ENTRIES_TOGETHER, count - done) }, (_, position) =>
        smallEntry(begin + done + position + 1, hardState.term, done + position + 1),
      );
      done += entries.length;
      const commit = begin + done;
      const request = { seq: done, truncateFrom: null, snapshot: null, messages: [] };
      await log.persist({ ...request, hardState: { ...hardState, commit }, entries });
    }
  } finally {
    await log.close();
  }
}

/** One proposal of one small command. @param sequence of the proposal */
export function smallEntry(index: number, term: number, sequence: number): Entry {
  const proposal = { principal: SYSTEM, origin: ORIGIN, sequence, commands: [smallCommand('bench' as NodeId)] };
  return { kind: 'data', index, term, data: encodeEntry({ at: Date.now(), proposals: [proposal] }) };
}

/** `waiting`: for a date that does not come. */
export async function plantJobs(dataDir: string, count: number, state: 'succeeded' | 'waiting'): Promise<void> {
  const store = await openStateStore(join(dataDir, 'state'));
  try {
    for (let done = 0; done < count;) {
      const jobs = Array.from({ length: Math.min(JOBS_TOGETHER, count - done) }, (_, position) =>
        jobOf(state, done + position + 1),
      );
      done += jobs.length;
      await store.write(
        jobs.map((job) => ({ table: 'job', key: job.id, value: job }) as const),
        store.applied,
      );
    }
    await store.flush();
  } finally {
    await store.close();
  }
}

/** As after many compactions: a node that joins must take a snapshot. */
export async function cutLog(dataDir: string): Promise<void> {
  const log = await openLogStore(join(dataDir, 'log'));
  try {
    const { entries, snapshot } = log.loaded;
    const last = entries.at(-1);
    if (last === undefined) return;
    const changes = entries.flatMap((entry) => (entry.kind === 'configuration' ? [entry.configuration] : []));
    const configuration = changes.at(-1) ?? snapshot?.configuration;
    if (configuration === undefined) throw new Error('the log holds no configuration');
    await log.compact({ index: last.index, term: last.term, configuration } satisfies SnapshotMeta);
  } finally {
    await log.close();
  }
}

const NOT_BEFORE = '2099-01-01T00:00:00Z';

function jobOf(state: 'succeeded' | 'waiting', sequence: number): Job {
  const at = Date.now();
  const spec: JobSpec =
    state === 'waiting' ? { command: ['true'], notBefore: NOT_BEFORE } : { command: ['true'], name: `job ${sequence}` };
  const base = {
    id: uuidv7() as JobId,
    spec,
    plan: planOf(spec),
    submittedBy: 'admin',
    submittedAt: at,
    sequence,
    past: [],
    index: 1,
  };
  return state === 'waiting'
    ? { ...base, state, until: Date.parse(NOT_BEFORE), why: 'notBefore' }
    : { ...base, state, finalAt: at, reason: null };
}
