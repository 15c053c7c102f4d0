import fc from 'fast-check';
import type { JobsAmong } from '../../../node/storage/ports.ts';
import { FINAL_STATES, isFinal, type Job } from '../../../src/jobs/job.ts';
import { keptUntil } from '../../../src/jobs/retention.ts';
import type { StateRecord } from '../../../src/state/records.ts';
import { GROUP, job, jobId, nodeRecord, PARENT, PROJECTS, QUEUES, SCHEDULES, sorted } from './state-builders.ts';

/** Records over several blocks of LevelDB's write-ahead log (32 KiB): damage to one block spares those behind it. */
const LARGE = 40_000;

const jobChange = fc
  .record({ job: fc.nat(8), state: fc.constantFrom('queued', 'running', ...FINAL_STATES), index: fc.nat(1000) })
  .map(({ job: n, state, index }): StateRecord => ({
    table: 'job',
    key: jobId(n),
    value: job(jobId(n), state as 'queued', index, 1),
  }));
const jobGone = fc.nat(8).map((job): StateRecord => ({ table: 'job', key: jobId(job), value: null }));
const nodeChange = fc
  .record({ node: fc.nat(3), fill: fc.constantFrom('a', 'b', 'c'), length: fc.nat(LARGE) })
  .map(({ node, fill, length }) => nodeRecord(`node-${node}`, fill.repeat(length)));
const keyChange = fc
  .record({ key: fc.string({ minLength: 1, maxLength: 20 }), gone: fc.boolean() })
  .map(({ key, gone }): StateRecord => ({
    table: 'idempotency',
    key: `admin\0${key}`,
    value: gone ? null : { job: jobId(1), bodyHash: 'b', expiresAt: 5 },
  }));

/** What one entry of the log changes. */
export const changes: fc.Arbitrary<readonly StateRecord[]> = fc.array(
  fc.oneof({ weight: 5, arbitrary: jobChange }, jobGone, nodeChange, keyChange),
  { maxLength: 12 },
);

/** What the store must hold, in the plainest way. */
export type StateModel = ReadonlyMap<string, StateRecord>;

export function takeChanges(model: StateModel, records: readonly StateRecord[]): StateModel {
  const next = new Map(model);
  for (const record of records) {
    if (record.value === null) next.delete(`${record.table} ${record.key}`);
    else next.set(`${record.table} ${record.key}`, record);
  }
  return next;
}

/** Final jobs, those whose time is over first before the others. */
export function keptOf(model: StateModel): readonly { id: string; index: number; until: number }[] {
  const jobs = jobsOf(model).filter(isFinal);
  const kept = jobs.map((final) => ({ id: final.id, index: final.index, until: keptUntil(final) }));
  return kept.toSorted((a, b) => a.until - b.until || (a.id < b.id ? -1 : 1));
}

/** All that jobs may have in common. */
export const AMONG: readonly JobsAmong[] = [
  ...FINAL_STATES.map((value) => ({ by: 'finalState', value }) as const),
  { by: 'group', value: GROUP },
  { by: 'parent', value: PARENT },
  ...PROJECTS.map((value) => ({ by: 'project', value }) as const),
  ...QUEUES.map((value) => ({ by: 'queue', value }) as const),
  ...SCHEDULES.map((value) => ({ by: 'schedule', value }) as const),
];

/** Newest first. */
export function jobsOf(model: StateModel): readonly Job[] {
  const jobs = [...model.values()].flatMap(({ table, value }) => (table === 'job' && value !== null ? [value] : []));
  return jobs.toSorted((a, b) => (a.id < b.id ? 1 : -1));
}

export function isAmong({ state, plan, schedule }: Job, { by, value }: JobsAmong): boolean {
  if (by === 'schedule') return schedule?.name === value;
  return (by === 'finalState' ? state : plan[by]) === value;
}

export function recordsOf(model: StateModel): readonly StateRecord[] {
  return sorted([...model.values()]);
}
