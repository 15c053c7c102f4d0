import type { GroupId, Incarnation, JobId, NodeId } from '../../../src/ids.ts';
import type { FinalState, Job } from '../../../src/jobs/job.ts';
import { planOf } from '../../../src/jobs/plan.ts';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import type { StateRecord } from '../../../src/state/records.ts';
import type { StateStore } from '../../../node/storage/ports.ts';

export function jobId(count: number): JobId {
  return `01900000-0000-7000-8000-${String(count).padStart(12, '0')}` as JobId;
}

/** One name begins with the other. */
export const PROJECTS = ['a', 'ab'] as const;
export const QUEUES = ['q', 'q/a', 'q/b'] as const;
export const SCHEDULES = ['s', 's/a'] as const;
export const GROUP = '01900000-1111-7000-8000-000000000000' as GroupId;
export const PARENT = jobId(1);

/** What binds jobs to others, by their number. */
function tiesOf(n: number): Partial<JobSpec> {
  return {
    project: PROJECTS[n % 2],
    queue: QUEUES[n % 3],
    ...(n % 4 === 0 ? { group: GROUP } : {}),
    ...(n % 5 === 2 ? { parent: PARENT } : {}),
  };
}

export function job(id: string, state: 'queued' | 'running' | FinalState, index = 1, revivals = 0): Job {
  const spec = { command: ['true'], name: `job ${id}`, ...tiesOf(Number(id.slice(-12))) };
  const n = Number(id.slice(-12));
  const base = {
    id: id as JobId,
    spec,
    plan: planOf(spec),
    submittedBy: 'admin',
    submittedAt: 1,
    sequence: index,
    past: [],
    revivals,
    index,
    ...(n % 3 === 0 ? { schedule: { name: SCHEDULES[n % 2] ?? '', due: 1 } } : {}),
  } as const;
  if (state === 'queued') return { ...base, state, queuedAt: 1 };
  if (state !== 'running') return { ...base, state, finalAt: 2, reason: null };
  const attempt = { attempt: 1, runner: 'r' as NodeId, incarnation: 'i' as Incarnation, assignedAt: 1 };
  return { ...base, state, current: { ...attempt, state: 'running', startedAt: 1 }, cancel: null };
}

export function jobRecord(id: string, state: Parameters<typeof job>[1], index = 1): StateRecord {
  return { table: 'job', key: id, value: job(id, state, index) };
}

export function nodeRecord(id: string, version: string): StateRecord {
  return { table: 'node', key: id, value: { id: id as NodeId, addresses: [], http: null, version } };
}

export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Everything a store holds, in an order of its own. */
export async function contents(store: StateStore): Promise<{ applied: number; records: readonly StateRecord[] }> {
  const live = (await collect(store.load())).flat();
  const jobs = await collect(store.jobs(null));
  const final = jobs.filter(({ id }) => !live.some((record) => record.table === 'job' && record.key === id));
  const records = [...live, ...final.map((value): StateRecord => ({ table: 'job', key: value.id, value }))];
  return { applied: store.applied, records: sorted(records) };
}

export function sorted(records: readonly StateRecord[]): readonly StateRecord[] {
  const name = ({ table, key }: StateRecord) => `${table} ${key}`;
  return [...records].sort((a, b) => (name(a) < name(b) ? -1 : 1));
}
