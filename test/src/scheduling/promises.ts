import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import type { QueuedJob } from '../../../src/jobs/job.ts';
import { matches } from '../../../src/resources/constraint.ts';
import { fits } from '../../../src/resources/resources.ts';
import { apply } from '../../../src/state/apply.ts';
import { decodeEntry, decodeRecord, encodeEntry, encodeRecord } from '../../../src/state/codec.ts';
import type { EntryPayload } from '../../../src/state/commands.ts';
import type { StateRecord } from '../../../src/state/records.ts';
import { ClusterState, finishLoading, loadRecord } from '../../../src/state/state.ts';
import type { Ledger } from '../../sim/scheduling/ledger.ts';
import type { Start } from '../../sim/scheduling/policy.ts';
import { databaseOf, EPOCH_MS, foundingEntry, QuoratePolicy } from '../../sim/scheduling/quorate-policy.ts';
import { run, TICK_MS } from '../../sim/scheduling/run.ts';
import type { SizeClass } from '../../sim/scheduling/scenario.ts';
import type { Workload } from '../../sim/scheduling/workload.ts';
import { ensure } from '../../sim/violation.ts';
import { picture } from '../builders.ts';
import { alike, anything, byPriority, LONGEST_MS, oneBig, SLOTS } from './promised-scenarios.ts';

/** What docs/scheduling.md promises, as properties of whole runs of the simulator. */
export interface SchedulingPromise {
  readonly name: string;
  readonly holds: fc.IProperty<[Workload]>;
}

/** What is promised, whatever the sources say. */
const KEPT_AFTER_MS = 60_000;
const ONE_IN = 8;

type Look = (ledger: Ledger, nowMs: number, starts: readonly Start[]) => void;

/** @param look at what holds after each tick */
function play(workload: Workload, look: (policy: QuoratePolicy) => Look = () => () => undefined) {
  const [strategy = 'spread'] = workload.scenario.strategies;
  const policy = new QuoratePolicy(workload, { strategy });
  return run(workload, policy, { afterTick: look(policy) });
}

function promise(name: string, drawn: fc.Arbitrary<Workload>, holds: (workload: Workload) => void): SchedulingPromise {
  return { name, holds: fc.property(drawn, holds) };
}

export const PROMISES: readonly SchedulingPromise[] = [
  promise(
    'no runner holds more than it has, no job has two live attempts, constraints are met, every job comes to its end',
    anything,
    (workload) => void play(workload),
  ),
  promise('no runner is idle while a job waits that fits there, but those that are kept', anything, (workload) => {
    play(
      workload,
      ({ state }) =>
        (_, nowMs) =>
          ensureConservation(state, nowMs),
    );
  }),
  promise('no job is passed by one that is alike, of lower priority or younger in its lane', byPriority, (workload) => {
    play(workload, ({ state }) => {
      let before: readonly QueuedJob[] = [];
      return (_, nowMs, starts) => {
        const stillWaiting = before.filter((job) => state.jobs.get(job.id) === job);
        for (const { job } of starts) ensureOrder(job, stillWaiting, workload, nowMs);
        before = [...state.queue.all()];
      };
    });
  }),
  promise('none has more than its share by weight and one job, while all wait', alike, (workload) => {
    const { owners } = workload.scenario;
    play(workload, () => ({ takenBy, waitingOf }, nowMs) => {
      if (waitingOf.some((waiting) => waiting === 0)) return;
      for (const [a, { weight }] of owners.entries()) {
        for (const [b, other] of owners.entries()) {
          const [held, its] = [runningOf(takenBy, a), runningOf(takenBy, b)];
          const isFair = (held - 1) / weight <= its / other.weight + 1e-9;
          ensure(isFair, 'shares are fair', () => `${held} for ${weight}, ${its} for ${other.weight} at ${nowMs}`);
        }
      }
    });
  }),
  promise('a queue of the smallest weight always has a job that runs, where two may', alike, (workload) => {
    play(workload, () => ({ takenBy, waitingOf }, nowMs) => {
      if (takenBy.length > workload.runners * SLOTS) return;
      for (const [owner, taken] of takenBy.entries()) {
        const isServed = waitingOf[owner] === 0 || (taken[0] as number) > 0;
        ensure(isServed, 'every owner moves', () => `owner ${owner} at ${nowMs}`);
      }
    });
  }),
  promise(
    'a big job among small ones has a runner in bounded time once it is the first of its lane',
    oneBig,
    ensureStart,
  ),
  promise('replicas agree, also where one starts from a snapshot in the middle', anything, ensureReplicasAgree),
];

/** Cpus are what jobs that are alike take one of. */
function runningOf(takenBy: Ledger['takenBy'], owner: number): number {
  return (takenBy[owner]?.[0] ?? 0) / 1000;
}

function ensureConservation({ queue, allocationList }: ClusterState, nowMs: number): void {
  const idle = new Set<string>();
  let longest = 0;
  for (const { lanes } of queue.queues.values()) {
    for (const lane of lanes.values()) {
      for (const { demand, constraints, jobs } of lane.classes.values()) {
        const since = jobs.first()?.queuedAt ?? EPOCH_MS;
        longest = Math.max(longest, EPOCH_MS + nowMs - since);
        for (const { record, free } of allocationList) {
          const isAllowed = record.state === 'ready' && constraints.every((one) => matches(one, record.labels));
          if (isAllowed && fits(demand, free)) idle.add(record.id);
        }
      }
    }
  }
  const kept = longest < KEPT_AFTER_MS ? 0 : Math.ceil(allocationList.length / ONE_IN);
  ensure(idle.size <= kept, 'work is conserved', () => `${idle.size} runners are idle at ${nowMs}, ${kept} may be`);
}

/** Numbers go up with submissions. */
function ensureOrder(
  job: number,
  waiting: readonly QueuedJob[],
  { ownerOf, sizeOf, scenario }: Workload,
  nowMs: number,
) {
  const { priority = 50 } = scenario.sizes[sizeOf[job] as number] as SizeClass;
  for (const { id, plan } of waiting) {
    const other = Number(id.slice(24));
    const isInLane = ownerOf[other] === ownerOf[job];
    const isInOrder = plan.priority < priority || (plan.priority === priority && (!isInLane || other > job));
    ensure(isInOrder, 'the order is kept', () => `job ${job} started at ${nowMs}, and job ${other} waits`);
  }
}

/** Each end on the runner that is kept brings it nearer, and one comes before its longest job is over. */
function ensureStart(workload: Workload): void {
  const big = workload.sizeOf.indexOf(1);
  let firstAt = Infinity;
  const { waitMs } = play(workload, ({ state }) => (_, nowMs) => {
    for (const { lanes } of state.queue.queues.values()) {
      for (const lane of lanes.values()) {
        if (Number(lane.first()?.job.id.slice(24)) === big) firstAt = Math.min(firstAt, nowMs);
      }
    }
  });
  const bound = Math.max(firstAt, KEPT_AFTER_MS) + SLOTS * (LONGEST_MS + TICK_MS);
  ensure((waitMs[big] as number) <= bound, 'the big job does not starve', () => `${waitMs[big]} of ${bound} ms`);
}

function ensureReplicasAgree(workload: Workload): void {
  const [strategy = 'spread'] = workload.scenario.strategies;
  const entries: (readonly [Uint8Array, number])[] = [[encodeEntry(foundingEntry(workload, strategy)), 1]];
  const onEntry = (entry: EntryPayload, index: number): void => void entries.push([encodeEntry(entry), index]);
  const leader = new QuoratePolicy(workload, { strategy, onEntry });
  run(workload, leader);
  const disk = new Map(databaseOf(workload).map((record) => [`${record.table} ${record.key}`, record]));
  const twin = stateFrom(disk.values());
  let other = stateFrom(disk.values());
  const middle = workload.seed % entries.length;
  for (const [at, [bytes, index]] of entries.entries()) {
    const entry = decodeEntry(bytes);
    const applied = apply(twin, entry, index);
    for (const record of applied.changes) disk.set(`${record.table} ${record.key}`, record);
    const again = apply(other, entry, index);
    ensure(isDeepStrictEqual(again.results, applied.results), 'replicas answer alike', () => `entry ${index}`);
    if (at === middle) other = stateFrom([...disk.values()].map(throughBytes));
  }
  ensure(isDeepStrictEqual(picture(twin), picture(leader.state)), 'apply is deterministic', () => 'a twin differs');
  ensure(isDeepStrictEqual(picture(other), picture(leader.state)), 'a snapshot holds all', () => `after ${middle}`);
}

function stateFrom(records: Iterable<StateRecord>): ClusterState {
  const state = new ClusterState();
  for (const record of records) loadRecord(state, record);
  finishLoading(state);
  return state;
}

function throughBytes(record: StateRecord): StateRecord {
  if (record.value === null) return record;
  const value = decodeRecord(record.table, encodeRecord(record.table, record.value as never));
  return { ...record, value } as StateRecord;
}
