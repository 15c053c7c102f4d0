import type { Entry, Index, SnapshotMeta } from '../../raft/types.ts';
import type { FinalJob } from '../../src/jobs/job.ts';
import { apply, type ChangeEvent, type ProposalResults } from '../../src/state/apply.ts';
import { decodeEntry } from '../../src/state/codec.ts';
import type { StateRecord } from '../../src/state/records.ts';
import { ClusterState, finishLoading, loadRecord } from '../../src/state/state.ts';
import type { StateStore } from '../storage/ports.ts';
import { REPLICA_LIMITS } from './limits.ts';

export interface ApplierListener {
  /** For the proposer whose origin it is; every node sees all. */
  results(results: ProposalResults): void;
  changed(events: readonly ChangeEvent[], index: Index): void;
  /** The heap holds everything up to here and there is room for more. */
  applied(index: Index): void;
  configuration(entry: Extract<Entry, { kind: 'configuration' }>): void;
  fatal(error: unknown): void;
}

/**
 * Applies committed entries to the state in the heap and lets the state's database follow: one write at a time,
 * each with all changes that gathered during the one before. The log is the truth, so results need not wait for it.
 */
export class Applier {
  #state: ClusterState;
  #store: StateStore;
  readonly #listener: ApplierListener;
  #applied: Index;
  #written: Index;
  #unwritten = new Map<string, StateRecord>();
  /** Jobs that left the heap with the entry that ended them, until the database holds them. */
  #leaving = new Map<string, FinalJob>();
  #writing: Promise<void> | null = null;
  #held: Index | null = null;
  #waiters: { readonly index: Index; readonly resolve: () => void }[] = [];

  private constructor(state: ClusterState, store: StateStore, listener: ApplierListener) {
    this.#state = state;
    this.#store = store;
    this.#listener = listener;
    this.#applied = store.applied;
    this.#written = store.applied;
  }

  static async open(store: StateStore, listener: ApplierListener): Promise<Applier> {
    return new Applier(await loadState(store), store, listener);
  }

  get state(): ClusterState {
    return this.#state;
  }

  get store(): StateStore {
    return this.#store;
  }

  get applied(): Index {
    return this.#applied;
  }

  /** A final job that may not be in the database yet. */
  leaving(id: string): FinalJob | undefined {
    return this.#leaving.get(id);
  }

  leavingJobs(): Iterable<FinalJob> {
    return this.#leaving.values();
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.kind === 'data') this.#applyData(entry.index, entry.data);
      this.#applied = entry.index;
      if (entry.kind === 'configuration') this.#listener.configuration(entry);
    }
    this.#wake();
    // A failed write is told by `fatal`.
    this.#write().catch(() => undefined);
    this.#admitMore();
  }

  /** Resolves once `index` is applied in the heap. */
  async waitFor(index: Index): Promise<void> {
    if (this.#applied >= index) return;
    await new Promise<void>((resolve) => this.#waiters.push({ index, resolve }));
  }

  /** The database holds everything that was applied when it was called. */
  async whenWritten(): Promise<void> {
    const upTo = this.#applied;
    while (this.#written < upTo) await this.#write();
  }

  /** Everything applied when it was called survives the loss of power. */
  async flush(): Promise<Index> {
    const upTo = this.#applied;
    await this.whenWritten();
    await this.#store.flush();
    return upTo;
  }

  /** Puts another state in the place of this one, after a snapshot was received. */
  async replace(meta: SnapshotMeta, install: () => Promise<StateStore>): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    this.#unwritten.clear();
    this.#leaving.clear();
    await this.#store.close();
    this.#store = await install();
    this.#state = await loadState(this.#store);
    this.#applied = meta.index;
    this.#written = meta.index;
    this.#held = null;
    this.#wake();
  }

  async close(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    await this.#store.close();
  }

  #applyData(index: Index, data: Uint8Array): void {
    const outcome = apply(this.#state, decodeEntry(data), index);
    for (const record of outcome.changes) this.#unwritten.set(`${record.table} ${record.key}`, record);
    for (const event of outcome.events) {
      if (event.kind !== 'job') continue;
      if ('finalAt' in event.job) this.#leaving.set(event.job.id, event.job);
      else this.#leaving.delete(event.job.id);
    }
    for (const results of outcome.results) this.#listener.results(results);
    this.#listener.changed(outcome.events, index);
  }

  #wake(): void {
    if (this.#waiters.length === 0) return;
    const ready = this.#waiters.filter((waiter) => waiter.index <= this.#applied);
    this.#waiters = this.#waiters.filter((waiter) => waiter.index > this.#applied);
    for (const waiter of ready) waiter.resolve();
  }

  #admitMore(): void {
    if (this.#applied - this.#written > REPLICA_LIMITS.unwrittenEntries) this.#held = this.#applied;
    else queueMicrotask(() => this.#listener.applied(this.#applied));
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeAll().catch((error: unknown) => {
      this.#listener.fatal(error);
      throw error;
    });
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#written < this.#applied) {
      const upTo = this.#applied;
      const records = [...this.#unwritten.values()];
      const leaving = this.#leaving;
      this.#unwritten = new Map();
      await this.#store.write(records, upTo);
      this.#written = upTo;
      this.#forgetWritten(leaving, records);
      if (this.#held !== null) {
        this.#held = null;
        this.#listener.applied(this.#applied);
      }
    }
    // In the same turn as the loop's last look, so that no entry falls between two writers.
    this.#writing = null;
  }

  #forgetWritten(leaving: Map<string, FinalJob>, records: readonly StateRecord[]): void {
    for (const record of records) {
      if (record.table === 'job' && leaving.get(record.key) === record.value) leaving.delete(record.key);
    }
  }
}

async function loadState(store: StateStore): Promise<ClusterState> {
  const state = new ClusterState();
  for await (const record of store.load()) loadRecord(state, record);
  finishLoading(state);
  return state;
}
