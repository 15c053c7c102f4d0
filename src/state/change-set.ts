import type { JobId, NodeId, TokenId } from '../ids.ts';
import { isFinal, type Job, type JobState } from '../jobs/job.ts';
import type { Moment } from '../jobs/lifecycle.ts';
import type {
  NodeRecord,
  ProposerRecord,
  RemovedRecord,
  RevivedRecord,
  RunnerRecord,
  StateRecord,
  StateTables,
  TokenRecord,
} from './records.ts';
import { allocate, type ClusterState, deallocate, enterJob, leaveJob } from './state.ts';

/** What others react to, in the order in which it happened. A null value: it is gone. */
export type ChangeEvent =
  | { readonly kind: 'job'; readonly job: Job; /** Null for a new one. */ readonly before: JobState | null }
  | { readonly kind: 'runner'; readonly id: NodeId; readonly runner: RunnerRecord | null }
  | { readonly kind: 'node'; readonly id: NodeId; readonly node: NodeRecord | null }
  | { readonly kind: 'token'; readonly id: TokenId; readonly token: TokenRecord | null };

/** Starts of nodes whose proposals are remembered; those that were quiet for longest go first. */
const MAX_PROPOSERS = 10_000;
/** Revived jobs that are final again and remembered for it; the oldest go first. */
const MAX_REVIVED = 100_000;
/** Removed nodes that are remembered as such; the oldest go first. */
const MAX_REMOVED = 10_000;

/** The only way to change the state: keeps what is derived in step, and collects what one entry changes. */
export class ChangeSet {
  readonly state: ClusterState;
  readonly now: Moment;
  readonly events: ChangeEvent[] = [];
  readonly #jobs = new Map<JobId, Job>();
  readonly #records = new Map<string, StateRecord>();
  readonly #proposers = new Set<string>();
  readonly #revived = new Set<string>();
  readonly #removed = new Set<string>();

  constructor(state: ClusterState, now: Moment) {
    this.state = state;
    this.now = now;
  }

  /** @param before the job as the state held it, or as it was when it was final; null for a new one */
  putJob(before: Job | null, job: Job): void {
    if (before === job) return;
    if (before !== null && !isFinal(before)) leaveJob(this.state, before);
    if (isFinal(job)) {
      this.state.jobs.delete(job.id);
      if ((job.revivals ?? 0) > 0) this.#putRevived(job.id);
    } else {
      this.state.jobs.set(job.id, job);
      enterJob(this.state, job);
    }
    this.#jobs.set(job.id, job);
    this.events.push({ kind: 'job', job, before: before?.state ?? null });
  }

  putRunner(record: RunnerRecord): void {
    this.state.runners.set(record.id, record);
    allocate(this.state, record);
    this.record('runner', record.id, record);
    this.events.push({ kind: 'runner', id: record.id, runner: record });
  }

  /** Nothing may run there any more. */
  removeRunner(id: NodeId): void {
    this.state.runners.delete(id);
    deallocate(this.state, id);
    this.record('runner', id, null);
    this.events.push({ kind: 'runner', id, runner: null });
  }

  putNode(id: NodeId, node: NodeRecord | null): void {
    if (node === null) this.state.nodes.delete(id);
    else this.state.nodes.set(id, node);
    this.record('node', id, node);
    this.events.push({ kind: 'node', id, node });
  }

  /** It is no member any more, and never will be under this id. */
  removeNode(id: NodeId): void {
    if (this.state.nodes.has(id)) this.putNode(id, null);
    this.state.removed.set(id, { index: this.now.index });
    this.#removed.add(id);
  }

  putToken(id: TokenId, token: TokenRecord | null): void {
    if (token === null) this.state.tokens.delete(id);
    else this.state.tokens.set(id, token);
    this.record('token', id, token);
    this.events.push({ kind: 'token', id, token });
  }

  putProposer(origin: string, record: ProposerRecord): void {
    this.state.proposers.set(origin, record);
    this.#proposers.add(origin);
  }

  /** Notes what the state's database has to hold. */
  record<Table extends Exclude<keyof StateTables, 'job'>>(
    table: Table,
    key: string,
    value: StateTables[Table] | null,
  ): void {
    this.#records.set(`${table} ${key}`, { table, key, value } as StateRecord);
  }

  /** Each record that changed, once, as it now is. */
  finish(): readonly StateRecord[] {
    const { cluster, proposers, revived, removed } = this.state;
    this.#keepNewest('proposer', proposers, this.#proposers, MAX_PROPOSERS);
    this.#keepNewest('revived', revived, this.#revived, MAX_REVIVED);
    this.#keepNewest('removed', removed, this.#removed, MAX_REMOVED);
    const changes: StateRecord[] = [...this.#records.values()];
    for (const [key, value] of this.#jobs) changes.push({ table: 'job', key, value });
    if (cluster !== null) changes.push({ table: 'cluster', key: 'cluster', value: cluster });
    return changes;
  }

  #putRevived(id: JobId): void {
    this.state.revived.set(id, { index: this.now.index });
    this.#revived.add(id);
  }

  /** The order within one entry is that of the keys, as it is after a reload. */
  #keepNewest<Table extends 'proposer' | 'revived' | 'removed'>(
    table: Table,
    records: Map<string, { readonly index: number }>,
    touched: ReadonlySet<string>,
    limit: number,
  ): void {
    for (const key of [...touched].toSorted()) {
      const value = records.get(key) as ProposerRecord & RevivedRecord & RemovedRecord;
      records.delete(key);
      records.set(key, value);
      this.record(table, key, value);
    }
    for (const key of records.keys()) {
      if (records.size <= limit) break;
      records.delete(key);
      this.record(table, key, null);
    }
  }
}
