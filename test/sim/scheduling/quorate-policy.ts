import { SYSTEM, type Principal } from '../../../src/auth.ts';
import type { Incarnation, JobId, NodeId } from '../../../src/ids.ts';
import type { QueueSettings } from '../../../src/jobs/queue-settings.ts';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import { planOf } from '../../../src/jobs/plan.ts';
import { followOn } from '../../../src/scheduling/follow-on.ts';
import { type LoadOf, loadBeyondJobs } from '../../../src/scheduling/measured-load.ts';
import { placeOne, scheduleRound } from '../../../src/scheduling/place.ts';
import { apply } from '../../../src/state/apply.ts';
import type { Command, EntryPayload, Proposal } from '../../../src/state/commands.ts';
import type { StateRecord } from '../../../src/state/records.ts';
import { ClusterState, finishLoading, loadRecord } from '../../../src/state/state.ts';
import { Chance } from '../chance.ts';
import { Violation } from '../violation.ts';
import { type Decided, emptyAccount, type Policy, type Start, type Told } from './policy.ts';
import { BACKOFF_MS, MOST_FAILURES } from './scenario.ts';
import type { Workload } from './workload.ts';

export const EPOCH_MS = Date.UTC(2030, 0, 1);
const LOCAL: Principal = { id: 'local', token: null, kind: 'local' };
/** Of the leader, in one call. */
const PLACEMENTS_PER_ROUND = 512;
/** A job that is lost is tried again until it is done: how often is no question of the scheduler. */
const LOST_MOST = 100;
const BACKOFF = `${BACKOFF_MS}ms`;
const SUCCEEDED = { outcome: 'succeeded', exitCode: 0, signal: null, reason: null, usage: null } as const;
const FAILED = { ...SUCCEEDED, outcome: 'failed', exitCode: 1 } as const;

export interface QuorateOptions {
  readonly strategy: QueueSettings['strategy'];
  /** Is given each entry, as the log has it. */
  readonly onEntry?: (entry: EntryPayload, index: number) => void;
}

/**
 * Quorate's own state machine and scheduler: whatever happens becomes commands in an entry that is applied, and the
 * leader schedules until nothing more fits. Nothing is decided here.
 */
export class QuoratePolicy implements Policy {
  readonly name: string;
  readonly account = emptyAccount();
  /** The leader's. */
  readonly state: ClusterState;
  /** That of the nodes which take submissions. */
  readonly #view: ClusterState;
  readonly #behind: { readonly entry: EntryPayload; readonly index: number }[] = [];
  readonly #workload: Workload;
  readonly #specs: readonly (readonly JobSpec[])[];
  readonly #incarnations: Uint32Array;
  readonly #random: () => number;
  readonly #onEntry: QuorateOptions['onEntry'];
  #index = 1;
  #sequence = 0;
  #busy: Told['busy'] = new Float64Array();
  #starts: Start[] = [];
  #givenUp: number[] = [];

  constructor(workload: Workload, { strategy, onEntry }: QuorateOptions) {
    this.name = workload.scenario.strategies.length > 1 ? `Quorate, ${strategy}` : 'Quorate';
    this.#workload = workload;
    this.#random = new Chance(workload.seed + 1).float;
    this.#onEntry = onEntry;
    this.#incarnations = new Uint32Array(workload.machines.length);
    this.#specs = specsOf(workload);
    this.state = stateOf(workload, strategy);
    this.#view = workload.scenario.view.lagEntries === 0 ? this.state : stateOf(workload, strategy);
  }

  tick(nowMs: number, told: Told): Decided {
    this.#starts = [];
    this.#givenUp = [];
    this.#busy = told.busy;
    // Children before ends: their parent may end in the same entry.
    this.#propose(nowMs, [
      { principal: SYSTEM, commands: this.#runnerCommands(told) },
      { principal: LOCAL, commands: this.#submissions(told) },
      { principal: SYSTEM, commands: this.#endCommands(nowMs, told) },
    ]);
    for (let more = true; more;) {
      const { commands, rest } = this.#schedule();
      const { refused } = this.account;
      if (commands.length > 0) this.#propose(nowMs, [{ principal: SYSTEM, commands }]);
      if (this.account.refused > refused) fail('what the leader decides is taken', `at ${nowMs}`);
      more = commands.length > 0 && rest === 'now';
    }
    return { starts: this.#starts, givenUp: this.#givenUp };
  }

  dueMs(): number | null {
    const due = this.state.due.first();
    return due === null ? null : Math.max(due.at - EPOCH_MS, 0);
  }

  #runnerCommands({ lost, back }: Told): Command[] {
    const lose = lost.map((runner): Command => ({ kind: 'loseRunner', ...this.#placementAt(runner) }));
    return [
      ...lose,
      ...back.map((runner): Command => {
        this.#incarnations[runner] = (this.#incarnations[runner] as number) + 1;
        const { total, labels } = this.#workload.machines[runner] as Workload['machines'][number];
        return { kind: 'registerRunner', ...this.#placementAt(runner), total, labels };
      }),
    ];
  }

  /** As each node proposes its own: ends, and what it sees that may come next there. */
  #endCommands(nowMs: number, { ended }: Told): Command[] {
    const at = EPOCH_MS + nowMs;
    const commands: Command[] = [];
    const byRunner = Map.groupBy(ended, ({ job }) => this.#runnerOf(job));
    for (const [runner, ends] of byRunner) {
      const jobs = ends.map(({ job }) => jobIdOf(job));
      for (const { job, attempt, outcome } of ends) {
        const { incarnation } = this.#placementAt(runner);
        const end = outcome === 'failed' ? FAILED : SUCCEEDED;
        commands.push({ kind: 'ended', job: jobIdOf(job), attempt, incarnation, startedAt: at, endedAt: at, end });
      }
      if (this.#workload.scenario.view.followOn === 'proposed') {
        commands.push(...followOn(this.#view, runnerIdOf(runner), jobs, { random: this.#random, ahead: 'none' }));
      }
    }
    if ((this.state.due.first()?.at ?? Infinity) <= at) commands.push({ kind: 'clock' });
    return commands;
  }

  #submissions({ submitted }: Told): Command[] {
    return submitted.map((job) => {
      const { ownerOf, sizeOf, parentOf } = this.#workload;
      const plain = this.#specs[ownerOf[job] as number]?.[sizeOf[job] as number] as JobSpec;
      const parent = parentOf[job] as number;
      const spec = parent === -1 ? plain : { ...plain, parent: jobIdOf(parent) };
      const isAlone = this.#workload.scenario.view.submissions === 'one by one';
      const placement = isAlone ? placeOne(this.#view, planOf(spec), this.#random, this.#loadIn(this.#view)) : null;
      return { kind: 'submit', id: jobIdOf(job), spec, placement, idempotency: null };
    });
  }

  /** As a node sees it that has this state: what machines told, less what it knows of itself. */
  #loadIn({ allocations }: ClusterState): LoadOf {
    return (runner) => {
      const allocation = allocations.get(runner);
      if (allocation === undefined) return 0;
      const { cpuMilli, memoryBytes } = allocation.record.total;
      const load1 = this.#busy[numberOfRunner(runner)] ?? 0;
      return loadBeyondJobs({ load1, memoryFree: memoryBytes, processors: cpuMilli / 1000 }, allocation);
    };
  }

  #schedule(): ReturnType<typeof scheduleRound> {
    const load = this.#loadIn(this.state);
    const began = process.threadCpuUsage();
    const round = scheduleRound(this.state, { limit: PLACEMENTS_PER_ROUND, random: this.#random, load });
    const { user, system } = process.threadCpuUsage(began);
    const ms = (user + system) / 1000;
    this.account.decisions += round.commands.length;
    this.account.decidingMs += ms;
    this.account.longestCallMs = Math.max(this.account.longestCallMs, ms);
    return round;
  }

  /** One entry, which is applied at once. */
  #propose(nowMs: number, parts: readonly Pick<Proposal, 'principal' | 'commands'>[]): void {
    const proposals = parts.map((part) => ({ ...part, origin: 'simulator', sequence: (this.#sequence += 1) }));
    const entry = { at: EPOCH_MS + nowMs, proposals };
    this.#index += 1;
    this.#onEntry?.(entry, this.#index);
    const { results, events } = apply(this.state, entry, this.#index);
    this.#check(entry, results);
    for (const event of events) {
      if (event.kind !== 'job') continue;
      const { job } = event;
      if (job.state === 'assigned') {
        const { attempt, runner } = job.current;
        this.#starts.push({ job: numberOfJob(job.id), attempt, runner: numberOfRunner(runner) });
        if (event.before === null) this.account.atOnce += 1;
      } else if ('finalAt' in job && job.state !== 'succeeded') this.#givenUp.push(numberOfJob(job.id));
    }
    this.#letViewFollow(entry);
  }

  /** Of what is proposed only placements may be refused: they are guesses. */
  #check({ proposals }: EntryPayload, answers: ReturnType<typeof apply>['results']): void {
    for (const [i, { commands }] of proposals.entries()) {
      for (const [j, command] of commands.entries()) {
        const result = answers[i]?.results[j];
        if (result?.ok === true) {
          if (command.kind !== 'submit' || command.placement === null) continue;
          if (this.state.jobs.get(command.id)?.state !== 'assigned') this.account.refused += 1;
        } else if (command.kind === 'assign') this.account.refused += 1;
        else fail('what happened is taken', `${command.kind}: ${result?.message ?? 'no answer'}`);
      }
    }
  }

  #letViewFollow(entry: EntryPayload): void {
    if (this.#view === this.state) return;
    this.#behind.push({ entry, index: this.#index });
    if (this.#behind.length <= this.#workload.scenario.view.lagEntries) return;
    const next = this.#behind.shift();
    if (next !== undefined) apply(this.#view, next.entry, next.index);
  }

  #runnerOf(job: number): number {
    const held = this.state.jobs.get(jobIdOf(job));
    return held?.state === 'assigned' ? numberOfRunner(held.current.runner) : fail('what ends runs', `job ${job}`);
  }

  #placementAt(runner: number): { readonly runner: NodeId; readonly incarnation: Incarnation } {
    return { runner: runnerIdOf(runner), incarnation: incarnationOf(this.#incarnations[runner] as number) };
  }
}

/** A cluster whose runners are there and hold nothing, as its database has it. */
export function databaseOf({ machines }: Workload): StateRecord[] {
  const cluster = { clusterId: 'simulated', auth: 'loopbackOpen', clock: EPOCH_MS, submissions: 0 } as const;
  const runners = machines.map(({ total, labels }, n): StateRecord => {
    const id = runnerIdOf(n);
    const place = { id, incarnation: incarnationOf(0), state: 'ready', registeredAt: EPOCH_MS } as const;
    return { table: 'runner', key: id, value: { ...place, total, labels } };
  });
  return [{ table: 'cluster', key: 'cluster', value: cluster }, ...runners];
}

/** Sets what the scenario says of the queues. */
export function foundingEntry({ scenario }: Workload, strategy: QueueSettings['strategy']): EntryPayload {
  const commands = scenario.owners.map(({ queue, weight }): Command => ({
    kind: 'setQueue',
    name: queue,
    change: { weight, strategy },
  }));
  return { at: EPOCH_MS, proposals: [{ principal: LOCAL, origin: 'founder', sequence: 1, commands }] };
}

function stateOf(workload: Workload, strategy: QueueSettings['strategy']): ClusterState {
  const state = new ClusterState();
  for (const record of databaseOf(workload)) loadRecord(state, record);
  finishLoading(state);
  apply(state, foundingEntry(workload, strategy), 1);
  return state;
}

function specsOf({ scenario }: Workload): JobSpec[][] {
  const retry = {
    max: MOST_FAILURES,
    lostMax: LOST_MOST,
    backoff: { initial: BACKOFF, factor: 1, max: BACKOFF },
  };
  return scenario.owners.map(({ queue, project }) =>
    scenario.sizes.map(({ resources, constraints = [], priority = 50 }) => ({
      command: ['work'],
      queue,
      project,
      resources,
      constraints: [...constraints],
      priority,
      retry,
    })),
  );
}

function jobIdOf(job: number): JobId {
  return `018f0000-0000-7000-8000-${String(job).padStart(12, '0')}` as JobId;
}

function numberOfJob(id: JobId): number {
  return Number(id.slice(24));
}

function runnerIdOf(runner: number): NodeId {
  return `runner-${runner}` as NodeId;
}

function numberOfRunner(id: NodeId): number {
  return Number(id.slice(7));
}

function incarnationOf(count: number): Incarnation {
  return `incarnation-${count}` as Incarnation;
}

function fail(invariant: string, message: string): never {
  throw new Violation(invariant, message);
}
