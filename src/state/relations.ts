import { assert } from '../errors.ts';
import type { GroupId, JobId } from '../ids.ts';
import type { Group } from '../jobs/group.ts';
import type { UnfinishedJob, UnmetJob, WaitingJob } from '../jobs/job.ts';
import type { JobPlan } from '../jobs/plan.ts';
import { Gate } from '../scheduling/gate.ts';
import { SortedRun } from '../scheduling/sorted-run.ts';

/** A gate that a job goes through before it is queued, in this order. */
export interface Passage {
  readonly why: 'resourceGroup' | 'group';
  readonly gate: Gate<WaitingJob>;
}

/** Jobs that are not final, by the order of their submission. */
export type JobsInOrder = Pick<SortedRun<JobId>, 'size' | 'values' | 'valuesFrom'>;

interface GateKey {
  readonly why: Passage['why'];
  readonly key: string;
  readonly capacity: number;
}

const NO_KEYS: readonly GateKey[] = [];
const NO_PASSAGES: readonly Passage[] = [];
const NONE: JobsInOrder = new SortedRun<JobId>();

/** What binds jobs that are not final to each other; derived from them. */
export class Relations {
  readonly #groups: ReadonlyMap<GroupId, Group>;
  readonly #dependents = new RunsByKey<JobId>();
  readonly #children = new RunsByKey<JobId>();
  readonly #detached = new RunsByKey<JobId>();
  readonly #members = new RunsByKey<GroupId>();
  readonly #scheduled = new RunsByKey<string>();
  readonly #gates = new Map<string, Gate<WaitingJob>>();

  /** @param groups the records, where the capacity of each group's gate stands */
  constructor(groups: ReadonlyMap<GroupId, Group>) {
    this.#groups = groups;
  }

  /** Those that wait for this job to be final. */
  dependentsOf(job: JobId): JobsInOrder {
    return this.#dependents.get(job);
  }

  /** All that others wait for. */
  awaited(): Iterable<JobId> {
    return this.#dependents.keys();
  }

  /** Those that are cancelled with it. */
  childrenOf(job: JobId): JobsInOrder {
    return this.#children.get(job);
  }

  /** Detached ones too. */
  countChildrenOf(job: JobId): number {
    return this.#children.get(job).size + this.#detached.get(job).size;
  }

  membersOf(group: GroupId): JobsInOrder {
    return this.#members.get(group);
  }

  /** Those that a schedule of this name submitted. */
  scheduledBy(schedule: string): JobsInOrder {
    return this.#scheduled.get(schedule);
  }

  get gates(): ReadonlyMap<string, Gate<WaitingJob>> {
    return this.#gates;
  }

  /** The gates that jobs of this plan go through, to look at: one that nobody came to yet is not kept. */
  passagesOf(plan: JobPlan): readonly Passage[] {
    const keys = this.#keysOf(plan);
    if (keys === NO_KEYS) return NO_PASSAGES;
    return keys.map(({ why, key, capacity }) => ({ why, gate: this.#gates.get(key) ?? new Gate(capacity) }));
  }

  /** The gate at which it waits; null: at none. */
  gateOf(job: WaitingJob): Gate<WaitingJob> | null {
    const waitsAt = gateKeyOf(job, this.#keysOf(job.plan));
    return waitsAt === null ? null : this.#gate(waitsAt);
  }

  enter(job: UnfinishedJob): void {
    const { plan, id, sequence, schedule } = job;
    if (plan.parent !== null) this.#siblingsOf(plan).insert(plan.parent, sequence, id);
    if (plan.group !== null) this.#members.insert(plan.group, sequence, id);
    if (schedule !== undefined) this.#scheduled.insert(schedule.name, sequence, id);
    if (job.state === 'waiting' && job.why === 'dependencies') {
      for (const on of job.missing) this.#dependents.insert(on, sequence, id);
    }
    const keys = this.#keysOf(plan);
    if (keys === NO_KEYS) return;
    for (const key of keys.slice(0, passed(job, keys))) this.#gate(key).inside += 1;
    if (job.state === 'waiting') this.gateOf(job)?.wait(job);
  }

  /** The reverse of `enter`. */
  leave(job: UnfinishedJob): void {
    const { plan, sequence, schedule } = job;
    if (plan.parent !== null) this.#siblingsOf(plan).delete(plan.parent, sequence);
    if (plan.group !== null) this.#members.delete(plan.group, sequence);
    if (schedule !== undefined) this.#scheduled.delete(schedule.name, sequence);
    if (job.state === 'waiting' && job.why === 'dependencies') {
      for (const on of job.missing) this.#dependents.delete(on, sequence);
    }
    const keys = this.#keysOf(plan);
    if (keys === NO_KEYS) return;
    for (const key of keys.slice(0, passed(job, keys))) this.#gate(key).inside -= 1;
    if (job.state === 'waiting') {
      const gate = this.gateOf(job);
      assert(gate === null || gate.giveUp(job), 'what waits at a gate stands there');
    }
    for (const { key } of keys) if (this.#gates.get(key)?.isIdle === true) this.#gates.delete(key);
  }

  /** Of jobs that it waited for, some are final; all else stays. A step costs the same, however many are left. */
  meet(before: UnmetJob, { missing }: UnmetJob): void {
    let kept = 0;
    for (const on of before.missing) {
      if (on === missing[kept]) kept += 1;
      else this.#dependents.delete(on, before.sequence);
    }
    assert(kept === missing.length, 'what a job waits for grows no more');
  }

  #siblingsOf({ withParent }: JobPlan): RunsByKey<JobId> {
    return withParent === 'cancelled' ? this.#children : this.#detached;
  }

  #keysOf({ project, group, resourceGroup }: JobPlan): readonly GateKey[] {
    const maxRunning = group === null ? null : (this.#groups.get(group)?.maxRunning ?? null);
    if (resourceGroup === null && maxRunning === null) return NO_KEYS;
    const keys: GateKey[] = [];
    if (resourceGroup !== null) {
      keys.push({ why: 'resourceGroup', key: `resourceGroup ${project} ${resourceGroup}`, capacity: 1 });
    }
    if (maxRunning !== null) keys.push({ why: 'group', key: `group ${group}`, capacity: maxRunning });
    return keys;
  }

  #gate({ key, capacity }: GateKey): Gate<WaitingJob> {
    const known = this.#gates.get(key);
    if (known !== undefined) return known;
    const made = new Gate<WaitingJob>(capacity);
    this.#gates.set(key, made);
    return made;
  }
}

function gateKeyOf(job: WaitingJob, keys: readonly GateKey[]): GateKey | null {
  return keys.find(({ why }) => why === job.why) ?? null;
}

/** How many of its gates a job is through. */
function passed(job: UnfinishedJob, keys: readonly GateKey[]): number {
  if (job.state !== 'waiting') return keys.length;
  return Math.max(
    0,
    keys.findIndex(({ why }) => why === job.why),
  );
}

class RunsByKey<Key> {
  readonly #runs = new Map<Key, SortedRun<JobId>>();

  keys(): Iterable<Key> {
    return this.#runs.keys();
  }

  get(key: Key): JobsInOrder {
    return this.#runs.get(key) ?? NONE;
  }

  insert(key: Key, sequence: number, job: JobId): void {
    const run = this.#runs.get(key) ?? new SortedRun<JobId>();
    run.insert(sequence, job);
    this.#runs.set(key, run);
  }

  delete(key: Key, sequence: number): void {
    const run = this.#runs.get(key);
    assert(run?.delete(sequence) === true, 'what leaves a relation was in it');
    if (run.size === 0) this.#runs.delete(key);
  }
}
