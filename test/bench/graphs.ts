import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Incarnation, JobId, NodeId } from '../../src/ids.ts';
import { type Principal, SYSTEM } from '../../src/auth.ts';
import { apply } from '../../src/state/apply.ts';
import { encodeRecord } from '../../src/state/codec.ts';
import type { Command } from '../../src/state/commands.ts';
import { ClusterState } from '../../src/state/state.ts';
import { Figures, formatNumber } from './figures.ts';
import type { Table } from './table.ts';

const JOBS = 100_000;
const LAYER = 1_000;
const TOGETHER = 512;
const AT = Date.UTC(2030, 0, 1);
const LOCAL: Principal = { id: 'local', token: null, kind: 'local' };
const PLACE = { runner: 'runner' as NodeId, incarnation: 'incarnation' as Incarnation };

interface Shape {
  readonly name: string;
  /** Of the whole count. */
  readonly share: number;
  /** The jobs that this one depends on, by their numbers. */
  readonly dependsOn: (n: number) => readonly number[];
  readonly outcome: 'succeeded' | 'failed';
}

const SHAPES: readonly Shape[] = [
  { name: 'layers of 1,000, each on 4 of the one before', share: 1, dependsOn: inLayers(4), outcome: 'succeeded' },
  { name: 'layers of 1,000, each on 256 of it', share: 0.05, dependsOn: inLayers(256), outcome: 'succeeded' },
  { name: 'a chain', share: 1, dependsOn: (n) => (n === 0 ? [] : [n - 1]), outcome: 'succeeded' },
  { name: 'a chain whose first fails', share: 1, dependsOn: (n) => (n === 0 ? [] : [n - 1]), outcome: 'failed' },
  { name: 'all on one', share: 1, dependsOn: (n) => (n === 0 ? [] : [0]), outcome: 'succeeded' },
  { name: 'all on one, which fails', share: 1, dependsOn: (n) => (n === 0 ? [] : [0]), outcome: 'failed' },
];

/**
 * The state machine alone, in one process and in its processor time: no log, no network and no database, with the sizes
 * of what is written.
 */
export const graphs: Table = {
  name: 'graphs',
  heading: 'Graphs',
  columns: [
    'jobs that depend on others',
    'submitted: µs a job',
    'longest entry',
    'heap a job',
    'run to the end: µs a job',
    'longest entry ',
    'entries',
    'written a job',
  ],
  async measure(run) {
    const rows: string[][] = [];
    for (const shape of SHAPES) {
      const jobs = run.scaled(JOBS * shape.share);
      const figures = new Figures();
      for (let round = 1; round <= run.rounds; round += 1) {
        run.tell(`graphs: ${shape.name}, round ${round}`);
        measureShape(shape, jobs, figures);
      }
      rows.push([
        `${formatNumber(jobs)}: ${shape.name}`,
        figures.tell('submit'),
        `${figures.tell('submitLongest')} ms`,
        `${figures.tell('heap', 1)} KiB`,
        figures.tell('run'),
        `${figures.tell('runLongest')} ms`,
        figures.tell('entries'),
        `${figures.tell('written', 1)} KiB`,
      ]);
    }
    return rows;
  },
};

function inLayers(each: number): Shape['dependsOn'] {
  return (n) => {
    const before = (Math.floor(n / LAYER) - 1) * LAYER;
    return before < 0 ? [] : Array.from({ length: each }, (_, k) => before + ((n + 3 * k) % LAYER));
  };
}

function measureShape(shape: Shape, jobs: number, figures: Figures): void {
  const heapBefore = collectedHeap();
  const machine = new Machine();
  for (let n = 0; n < jobs; n += TOGETHER) {
    const numbers = Array.from({ length: Math.min(TOGETHER, jobs - n) }, (_, k) => n + k);
    machine.apply(
      LOCAL,
      numbers.map((number) => submission(shape, number)),
    );
  }
  const submitted = machine.takeSpent();
  figures.record('heap', (collectedHeap() - heapBefore) / jobs / 1024);
  while (machine.state.jobs.size > 0) machine.runQueued(shape.outcome);
  const ran = machine.takeSpent();
  figures.record('submit', (submitted.sumMs * 1000) / jobs);
  figures.record('submitLongest', submitted.longestMs);
  figures.record('run', (ran.sumMs * 1000) / jobs);
  figures.record('runLongest', ran.longestMs);
  figures.record('entries', ran.entries);
  figures.record('written', (submitted.writtenBytes + ran.writtenBytes) / jobs / 1024);
}

function submission({ dependsOn }: Shape, n: number): Command {
  const dependencies = dependsOn(n).map((job) => ({ job: jobId(job) }));
  const spec = { command: ['true'], dependsOn: dependencies };
  return { kind: 'submit', id: jobId(n), spec, placement: null, idempotency: null };
}

/** A replica that is given entries, and how long each takes it. */
class Machine {
  readonly state = new ClusterState();
  #index = 0;
  #spent = { sumMs: 0, longestMs: 0, entries: 0, writtenBytes: 0 };

  constructor() {
    const total = { cpuMilli: 1e12, memoryBytes: 1e15, gpu: 0, diskBytes: 1e15, custom: {} };
    this.apply(SYSTEM, [{ kind: 'createCluster', clusterId: 'bench', auth: 'loopbackOpen' }]);
    this.apply(SYSTEM, [{ kind: 'registerRunner', ...PLACE, total, labels: {} }]);
    this.takeSpent();
  }

  apply(principal: Principal, commands: readonly Command[]): void {
    this.#index += 1;
    const proposal = { principal, origin: 'bench', sequence: this.#index, commands };
    const before = process.cpuUsage();
    const entry = apply(this.state, { at: AT + this.#index, proposals: [proposal] }, this.#index);
    const { user, system } = process.cpuUsage(before);
    const ms = (user + system) / 1000;
    const { sumMs, longestMs, entries, writtenBytes } = this.#spent;
    let bytes = 0;
    for (const { table, value } of entry.changes) if (value !== null) bytes += encodeRecord(table, value).length;
    this.#spent = {
      sumMs: sumMs + ms,
      longestMs: Math.max(longestMs, ms),
      entries: entries + 1,
      writtenBytes: writtenBytes + bytes,
    };
  }

  /** So many of those that are queued; when none is, the leader's entry that goes on with the follow-ups. */
  runQueued(outcome: Shape['outcome']): void {
    const queued: JobId[] = [];
    for (const { id } of this.state.queue.all()) {
      queued.push(id);
      if (queued.length === TOGETHER) break;
    }
    if (queued.length === 0) return this.apply(SYSTEM, [{ kind: 'clock' }]);
    this.apply(
      SYSTEM,
      queued.map((job) => ({ kind: 'assign', job, attempt: 1, placement: PLACE })),
    );
    const end = { outcome, exitCode: outcome === 'succeeded' ? 0 : 1, signal: null, reason: null, usage: null };
    const { incarnation } = PLACE;
    this.apply(
      SYSTEM,
      queued.map((job) => ({ kind: 'ended', job, attempt: 1, incarnation, startedAt: AT, endedAt: AT, end })),
    );
  }

  takeSpent() {
    const spent = this.#spent;
    this.#spent = { sumMs: 0, longestMs: 0, entries: 0, writtenBytes: 0 };
    return spent;
  }
}

function jobId(n: number): JobId {
  return `018f0000-0000-7000-8000-${String(n).padStart(12, '0')}` as JobId;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function collectedHeap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
