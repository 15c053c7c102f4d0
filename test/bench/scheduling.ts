import { LEADER_LIMITS } from '../../node/leader/limits.ts';
import type { Incarnation, JobId, NodeId } from '../../src/ids.ts';
import type { Job } from '../../src/jobs/job.ts';
import { assignJob, endJob, submitJob } from '../../src/jobs/lifecycle.ts';
import { planOf } from '../../src/jobs/plan.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import { followOn } from '../../src/scheduling/follow-on.ts';
import { type LoadOf, loadBeyondJobs } from '../../src/scheduling/measured-load.ts';
import { schedule } from '../../src/scheduling/place.ts';
import { RESERVE_AFTER_MS } from '../../src/scheduling/reservation.ts';
import { ChangeSet } from '../../src/state/change-set.ts';
import type { Command, Refusal } from '../../src/state/commands.ts';
import { ClusterState, finishLoading, loadRecord } from '../../src/state/state.ts';
import { Figures, formatNumber } from './figures.ts';
import type { Table } from './table.ts';

const RUNNERS = 10_000;
const JOBS = 1_000_000;
const DECISIONS = 200_000;
const ENDS = 2_000;
const FULL_CALLS = 20;
const AT = Date.UTC(2030, 0, 1);

interface Mix {
  readonly name: string;
  readonly spec: (n: number) => Partial<JobSpec>;
}

const MIXES: readonly Mix[] = [
  { name: 'all alike, one project', spec: () => ({}) },
  {
    name: '20 sizes, 20 queues of 5 projects',
    spec: (n) => ({
      queue: `queue-${n % 20}`,
      project: `project-${Math.floor(n / 20) % 5}`,
      resources: { cpu: 0.5 + (Math.floor(n / 100) % 20) / 10, memory: `${1 + (n % 7)}GiB` },
    }),
  },
  { name: '1,000 projects in one queue', spec: (n) => ({ project: `project-${n % 1000}` }) },
];

/** The scheduler alone, in one process: no log and no network; in processor time. */
export const scheduling: Table = {
  name: 'scheduling',
  heading: 'Scheduling',
  columns: ['queued jobs', 'decisions/s', 'longest call', 'a call that finds no room', 'the next at an end'],
  async measure(run) {
    const rows: string[][] = [];
    for (const mix of MIXES) {
      const figures = new Figures();
      for (let round = 1; round <= run.rounds; round += 1) {
        run.tell(`scheduling: ${mix.name}, round ${round}`);
        measureMix(mix, run.scaled(JOBS), run.scaled(DECISIONS), figures);
      }
      rows.push([
        `${formatNumber(run.scaled(JOBS))}: ${mix.name}`,
        figures.tell('rate'),
        `${figures.tellMax('longest', 1)} ms`,
        `${figures.tell('full', 1)} ms`,
        `${figures.tell('atEnd', 3)} ms`,
      ]);
    }
    return rows;
  },
};

function measureMix(mix: Mix, jobs: number, decisions: number, figures: Figures): void {
  const state = stateWith(mix, jobs);
  const random = seeded(jobs);
  const { spent, made } = decide(state, decisions, random);
  figures.record('rate', made / (spent.reduce((sum, ms) => sum + ms, 0) / 1000));
  figures.record('longest', Math.max(...spent));
  decide(state, Number.POSITIVE_INFINITY, random);
  let full = 0;
  for (let n = 0; n < FULL_CALLS; n += 1) {
    full += timed(() => schedule(state, { limit: LEADER_LIMITS.placementsPerRound, random, load: loadIn(state) })).ms;
  }
  figures.record('full', full / FULL_CALLS);
  let atEnds = 0;
  let ends = 0;
  for (const job of [...state.jobs.values()].filter(({ state: name }) => name === 'assigned').slice(0, ENDS)) {
    if (job.state !== 'assigned') continue;
    const { runner } = job.current;
    const { ms, value } = timed(() => followOn(state, runner, [job.id], { random, ahead: 'none' }));
    atEnds += ms;
    ends += 1;
    const changes = changesOf(state);
    const end = { outcome: 'succeeded', exitCode: 0, signal: null, reason: null, usage: null } as const;
    const { attempt, incarnation } = job.current;
    put(changes, job, endJob(job, { attempt, incarnation, startedAt: AT, endedAt: AT, end }, changes.now));
    assignAll(state, value);
  }
  figures.record('atEnd', atEnds / ends);
}

/** Assigns until so many are, or nothing fits any more. */
function decide(state: ClusterState, decisions: number, random: () => number): { spent: number[]; made: number } {
  const spent: number[] = [];
  let made = 0;
  while (made < decisions) {
    const { ms, value } = timed(() =>
      schedule(state, { limit: LEADER_LIMITS.placementsPerRound, random, load: loadIn(state) }),
    );
    if (value.length === 0) break;
    spent.push(ms);
    made += value.length;
    assignAll(state, value);
  }
  return { spent, made };
}

/** Each machine has told of its load. */
function loadIn({ allocations }: ClusterState): LoadOf {
  const measured = { load1: 1, memoryFree: 2 ** 39, processors: 64 };
  return (runner) => loadBeyondJobs(measured, allocations.get(runner));
}

function assignAll(state: ClusterState, commands: readonly Extract<Command, { kind: 'assign' }>[]): void {
  const changes = changesOf(state);
  for (const { job: id, attempt, placement } of commands) {
    const job = state.jobs.get(id);
    if (job !== undefined) put(changes, job, assignJob(job, attempt, { placement, behind: null }, changes.now));
  }
}

function put(changes: ChangeSet, before: Job, after: Job | Refusal): void {
  if ('code' in after) throw new Error(after.message);
  changes.putJob(before, after);
}

function changesOf(state: ClusterState): ChangeSet {
  return new ChangeSet(state, { at: AT, index: 1 });
}

function stateWith(mix: Mix, jobs: number): ClusterState {
  const state = new ClusterState();
  // All have waited for longer than it takes to have a runner kept.
  const clock = AT + 2 * RESERVE_AFTER_MS;
  const cluster = { clusterId: 'bench', auth: 'loopbackOpen', clock, submissions: jobs } as const;
  loadRecord(state, { table: 'cluster', key: 'cluster', value: cluster });
  // Half of the jobs find room.
  const total = {
    cpuMilli: 1000 * Math.ceil(jobs / RUNNERS / 2),
    memoryBytes: 2 ** 40,
    gpu: 0,
    diskBytes: 0,
    custom: {},
  };
  for (let n = 0; n < RUNNERS; n += 1) {
    const id = `runner-${n}` as NodeId;
    const record = {
      id,
      incarnation: 'i' as Incarnation,
      total,
      labels: {},
      state: 'ready',
      registeredAt: AT,
    } as const;
    loadRecord(state, { table: 'runner', key: id, value: record });
  }
  for (let n = 0; n < jobs; n += 1) {
    const job = queuedJob(n, mix.spec(n));
    loadRecord(state, { table: 'job', key: job.id, value: job });
  }
  finishLoading(state);
  return state;
}

function queuedJob(n: number, some: Partial<JobSpec>): Job {
  const id = `018f0000-0000-7000-8000-${String(n).padStart(12, '0')}` as JobId;
  const spec: JobSpec = { command: ['true'], ...some };
  const tied = { depth: 0, missing: [] };
  return submitJob(
    { id, spec, plan: planOf(spec), submittedBy: 'bench', sequence: n + 1, ...tied },
    { at: AT, index: 1 },
  );
}

/** In processor time of this thread: what others take of the machine does not count. Its clock may tick in 4 ms. */
function timed<Value>(work: () => Value): { readonly ms: number; readonly value: Value } {
  const begin = process.threadCpuUsage();
  const value = work();
  const { user, system } = process.threadCpuUsage(begin);
  return { ms: (user + system) / 1000, value };
}

function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
