import type { Entry, Index, SnapshotMeta } from '../../raft/types.ts';
import { apply, type ChangeEvent, type ProposalResults } from '../../src/state/apply.ts';
import { decodeEntry } from '../../src/state/codec.ts';
import type { StateRecord } from '../../src/state/records.ts';
import { ClusterState, finishLoading, loadRecord } from '../../src/state/state.ts';
import type { StateStore } from '../storage/ports.ts';
import type { ReplicaLimits } from './limits.ts';
import type { Runtime } from './runtime.ts';

type ApplierLimits = Pick<ReplicaLimits, 'unwrittenEntries' | 'unwrittenBytes'>;

export interface ApplierListener {
  /** For the proposer whose origin it is; every node sees all. */
  results(results: ProposalResults): void;
  changed(events: readonly ChangeEvent[], index: Index): void;
  /** The heap holds everything up to here and there is room for more. */
  applied(index: Index): void;
  configuration(entry: Extract<Entry, { kind: 'configuration' }>): void;
  fatal(error: unknown): void;
}

interface AppliedShare {
  readonly changes: readonly StateRecord[];
  /** Of the entries that made them. */
  readonly bytes: number;
  readonly index: Index;
}

/**
 * Applies committed entries to the state in the heap and lets the state's database follow. The log is the truth, so
 * results do not wait for the database; what it does not hold yet is bounded. Between two shares of what is committed
 * the event loop turns: heartbeats must not wait until a replica that was behind has caught up.
 */
export class Applier {
  #state: ClusterState;
  #store: StateStore;
  readonly #listener: ApplierListener;
  readonly #runtime: Pick<Runtime, 'soon'>;
  readonly #limits: ApplierLimits;
  #applied: Index;
  #written: Index;
  #unwrittenBytes = 0;
  #replaced: Promise<void> = Promise.resolve();
  #waiters: { readonly index: Index; readonly resolve: () => void }[] = [];

  /** @param state what `loadState` made of the store */
  constructor(
    state: ClusterState,
    store: StateStore,
    listener: ApplierListener,
    runtime: Pick<Runtime, 'soon'>,
    limits: ApplierLimits,
  ) {
    this.#state = state;
    this.#store = store;
    this.#listener = listener;
    this.#runtime = runtime;
    this.#limits = limits;
    this.#applied = store.applied;
    this.#written = store.applied;
  }

  get state(): ClusterState {
    return this.#state;
  }

  get store(): StateStore {
    return this.#store;
  }

  /** Asks the database; again when a snapshot took its place meanwhile, so the query must begin anew each time. */
  async read<Answer>(query: (store: StateStore) => Promise<Answer>): Promise<Answer> {
    for (;;) {
      await this.#replaced;
      const store = this.#store;
      try {
        return await query(store);
      } catch (error) {
        await this.#replaced;
        if (store === this.#store) throw error;
      }
    }
  }

  get applied(): Index {
    return this.#applied;
  }

  apply(entries: readonly Entry[]): void {
    const changes: StateRecord[] = [];
    let bytes = 0;
    for (const entry of entries) {
      if (entry.kind === 'data') {
        this.#applyData(entry.index, entry.data, changes);
        bytes += entry.data.length;
      }
      this.#applied = entry.index;
      if (entry.kind === 'configuration') this.#listener.configuration(entry);
    }
    this.#wake();
    void this.#follow(this.#store, { changes, bytes, index: this.#applied });
  }

  /** Resolves once `index` is applied in the heap. */
  async waitFor(index: Index): Promise<void> {
    if (this.#applied >= index) return;
    await new Promise<void>((resolve) => this.#waiters.push({ index, resolve }));
  }

  /** Everything applied when it was called survives the loss of power. */
  async flush(): Promise<Index> {
    const upTo = this.#applied;
    await this.#store.flush();
    return upTo;
  }

  /** Puts another state in the place of this one, after a snapshot was received; one after another. */
  replace(meta: SnapshotMeta, install: () => Promise<StateStore>): Promise<void> {
    const replacement = this.#replaced.then(() => this.#replace(meta, install));
    this.#replaced = replacement.catch(() => undefined);
    return replacement;
  }

  async close(): Promise<void> {
    await this.#replaced;
    await this.#store.flush();
    await this.#store.close();
  }

  async #replace(meta: SnapshotMeta, install: () => Promise<StateStore>): Promise<void> {
    await this.#store.close();
    this.#store = await install();
    this.#state = await loadState(this.#store);
    this.#applied = meta.index;
    this.#written = meta.index;
    this.#unwrittenBytes = 0;
    this.#wake();
  }

  #applyData(index: Index, data: Uint8Array, changes: StateRecord[]): void {
    const outcome = apply(this.#state, decodeEntry(data), index);
    for (const record of outcome.changes) changes.push(record);
    for (const results of outcome.results) this.#listener.results(results);
    this.#listener.changed(outcome.events, index);
  }

  #wake(): void {
    if (this.#waiters.length === 0) return;
    const ready = this.#waiters.filter((waiter) => waiter.index <= this.#applied);
    this.#waiters = this.#waiters.filter((waiter) => waiter.index > this.#applied);
    for (const waiter of ready) waiter.resolve();
  }

  async #follow(store: StateStore, { changes, bytes, index }: AppliedShare): Promise<void> {
    this.#unwrittenBytes += bytes;
    const { unwrittenEntries, unwrittenBytes } = this.#limits;
    const hasRoom = index - this.#written <= unwrittenEntries && this.#unwrittenBytes <= unwrittenBytes;
    if (hasRoom) this.#runtime.soon(() => this.#listener.applied(index));
    try {
      await store.write(changes, index);
    } catch (error) {
      if (store === this.#store) this.#listener.fatal(error);
      return;
    }
    if (store !== this.#store) return;
    this.#written = Math.max(this.#written, index);
    this.#unwrittenBytes -= bytes;
    if (!hasRoom) this.#listener.applied(index);
  }
}

/** Rebuilds the heap from the database. */
export async function loadState(store: StateStore): Promise<ClusterState> {
  const state = new ClusterState();
  for await (const records of store.load()) for (const record of records) loadRecord(state, record);
  finishLoading(state);
  return state;
}
