import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import type { JobFilter } from '../../node/core.ts';
import type { Replica } from '../../node/replica/replica.ts';
import { JobStore } from '../../node/service/job-store.ts';
import type { StateStore } from '../../node/storage/ports.ts';
import { openStateStore } from '../../node/storage/state-store.ts';
import type { GroupId, JobId } from '../../src/ids.ts';
import type { FinalState, Job } from '../../src/jobs/job.ts';
import { planOf } from '../../src/jobs/plan.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import { makeTempFolder } from '../support/temp-folder.ts';
import { Figures, formatNumber } from './figures.ts';
import type { Table } from './table.ts';

const JOBS = 200_000;
/** The oldest jobs, and all that the filters below let through. */
const WANTED = 20;
const JOBS_TOGETHER = 500;
const GROUP = uuidv7() as GroupId;
const PARENT = uuidv7() as JobId;
const TIES: Partial<JobSpec> = { name: 'wanted', project: 'wanted', queue: 'wanted', group: GROUP, parent: PARENT };

const CASES: readonly (readonly [string, JobFilter])[] = [
  ['by group', { group: GROUP }],
  ['by parent', { parent: PARENT }],
  ['by state, as failed', { state: 'failed' }],
  ['by project', { project: 'wanted' }],
  ['by queue', { queue: 'wanted' }],
  ['by name: looks at all', { name: 'wanted' }],
];

/** The database of one node alone: no HTTP, no barrier. */
export const lists: Table = {
  name: 'lists',
  heading: 'Lists among finished jobs',
  columns: [`the ${WANTED} oldest of ${formatNumber(JOBS)} jobs`, 'requests', 'time', 'processor time'],
  async measure(run) {
    const temp = await makeTempFolder('lists');
    run.removeAtTheEnd(temp);
    const count = run.scaled(JOBS);
    run.tell(`lists: writing ${formatNumber(count)} finished jobs`);
    const store = await openStateStore(join(temp.path, 'state'));
    try {
      const written = await measureWrites(store, count);
      const rows: string[][] = [];
      for (const [what, filter] of CASES) rows.push([what, ...(await measureList(store, filter, run.rounds))]);
      return [
        ...rows,
        [`writing ${formatNumber(count)} of them`, '', `${written.seconds} s`, `${written.each} µs a job`],
      ];
    } finally {
      await store.close();
    }
  },
};

async function measureWrites(store: StateStore, count: number): Promise<{ seconds: string; each: string }> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  for (let done = 0; done < count; done += JOBS_TOGETHER) {
    const jobs = Array.from({ length: Math.min(JOBS_TOGETHER, count - done) }, (_, position) =>
      done + position < WANTED ? finalJob('failed', done + position, TIES) : finalJob('succeeded', done + position, {}),
    );
    await store.write(
      jobs.map((job) => ({ table: 'job', key: job.id, value: job }) as const),
      done + jobs.length,
    );
  }
  await store.flush();
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: ((performance.now() - began) / 1000).toFixed(1), each: ((user + system) / count).toFixed(0) };
}

/** As a client that asks again until it has what it wants. */
async function measureList(store: StateStore, filter: JobFilter, rounds: number): Promise<string[]> {
  const applier = { read: <Answer>(query: (asked: StateStore) => Promise<Answer>) => query(store) };
  const jobs = new JobStore({ applier } as unknown as Replica);
  const figures = new Figures();
  let requests = 0;
  for (let round = 1; round <= rounds; round += 1) {
    const cpu = process.cpuUsage();
    const began = performance.now();
    requests = 0;
    let found = 0;
    for (let cursor: string | null = null; found < WANTED; requests += 1) {
      const page = await jobs.list({ filter, limit: WANTED, cursor });
      found += page.jobs.length;
      cursor = page.nextCursor;
      if (cursor === null && found < WANTED) throw new Error('a list lacks jobs');
    }
    figures.record('ms', performance.now() - began);
    const { user, system } = process.cpuUsage(cpu);
    figures.record('cpu', (user + system) / 1000);
  }
  return [String(requests), `${figures.tell('ms', 1)} ms`, `${figures.tell('cpu', 1)} ms`];
}

function finalJob(state: FinalState, sequence: number, more: Partial<JobSpec>): Job {
  const at = Date.now();
  const spec: JobSpec = { command: ['true'], ...more };
  const base = { id: uuidv7() as JobId, spec, plan: planOf(spec), submittedBy: 'admin', submittedAt: at };
  return { ...base, sequence, past: [], index: sequence + 1, state, finalAt: at, reason: null };
}
