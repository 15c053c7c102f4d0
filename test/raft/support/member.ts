import type { RaftOptions, StoredState } from '../../../raft/config.ts';
import type { Effects, Input, PersistRequest, Refusal, RoleChange } from '../../../raft/effects.ts';
import { Raft } from '../../../raft/raft.ts';
import type { Configuration, Entry, HardState, Index, NodeId, SnapshotMeta, Term } from '../../../raft/types.ts';

export interface MemberOptions {
  readonly id: NodeId;
  readonly initial: Configuration;
  readonly raft: RaftOptions;
  readonly random: () => number;
}

/** A log that takes writes as the storage does: in memory at once, on disk when told. */
export class LogCopy {
  snapshot: SnapshotMeta | null = null;
  entries: Entry[] = [];

  get baseIndex(): Index {
    return this.snapshot?.index ?? 0;
  }

  get lastIndex(): Index {
    return this.baseIndex + this.entries.length;
  }

  entryAt(index: Index): Entry | undefined {
    return this.entries[index - this.baseIndex - 1];
  }

  write(request: PersistRequest): void {
    if (request.truncateFrom !== null) this.entries.length = request.truncateFrom - this.baseIndex - 1;
    if (request.snapshot !== null) {
      this.snapshot = request.snapshot;
      this.entries = [];
    }
    for (const entry of request.entries) {
      if (entry.index !== this.lastIndex + 1) throw new Error(`a gap before entry ${entry.index}`);
      this.entries.push(entry);
    }
  }

  compact(meta: SnapshotMeta): void {
    this.entries = this.entries.slice(meta.index - this.baseIndex);
    this.snapshot = meta;
  }
}

/** One node: its core, what its disk holds, what is being written, and a state machine that lists what it applied. */
export class Member {
  readonly id: NodeId;
  readonly #options: MemberOptions;
  #starts = 0;

  raft: Raft;
  state: 'up' | 'down' = 'up';
  /** `held`: writes wait for `finishWrites`. */
  disk: 'prompt' | 'held' = 'prompt';
  /** `held`: a snapshot's state waits for `Cluster.restore`. */
  restores: 'prompt' | 'held' = 'prompt';

  /** What the core believes of its log, from what it asked to be written. */
  memory = new LogCopy();
  readonly durable = new LogCopy();
  durableHardState: HardState = { term: 0, vote: null, commit: 0 };
  writes: PersistRequest[] = [];

  /** The state machine: what was applied, by index. It survives a crash up to `durableApplied`. */
  machine = new Map<Index, Entry>();
  applied: Index = 0;
  durableApplied: Index = 0;
  restoring: SnapshotMeta | null = null;
  unapplied: Entry[] = [];

  readonly accepted = new Map<number, { readonly index: Index; readonly term: Term }>();
  readonly refusals: Refusal[] = [];
  readonly reads = new Map<number, Index>();
  readonly roleChanges: RoleChange[] = [];

  constructor(options: MemberOptions) {
    this.id = options.id;
    this.#options = options;
    this.raft = this.#boot();
  }

  get session(): string {
    return `${this.id}#${this.#starts}`;
  }

  /** Puts a state on the disk, as if the node had been there before, and starts from it. */
  begin(stored: StoredState): void {
    this.durable.snapshot = stored.snapshot;
    this.durable.entries = [...stored.entries];
    this.durableHardState = stored.hardState;
    this.durableApplied = stored.applied;
    this.restart();
  }

  /** Loses everything that was not written to the end; `kept` writes in flight happen to be complete. */
  crash(kept = 0): void {
    for (const request of this.writes.slice(0, kept)) this.#toDisk(request);
    this.state = 'down';
    this.writes = [];
    this.unapplied = [];
    this.restoring = null;
  }

  restart(): void {
    if (this.state === 'up') this.crash();
    this.state = 'up';
    this.memory = new LogCopy();
    this.memory.snapshot = this.durable.snapshot;
    this.memory.entries = [...this.durable.entries];
    this.applied = this.durableApplied;
    this.raft = this.#boot();
  }

  /** Another machine under the same id: a new session and an empty disk. */
  loseDisk(): void {
    this.crash();
    this.durable.snapshot = null;
    this.durable.entries = [];
    this.durableHardState = { term: 0, vote: null, commit: 0 };
    this.durableApplied = 0;
    this.machine = new Map();
    this.restart();
  }

  step(input: Input): Effects {
    const effects = this.raft.step(input);
    for (const request of effects.persist) {
      this.memory.write(request);
      this.writes.push(request);
    }
    for (const { id, index, term } of effects.accepted) this.accepted.set(id, { index, term });
    for (const { id, index } of effects.reads) this.#answer(id, () => this.reads.set(id, index));
    for (const refusal of effects.refused) this.#answer(refusal.id, () => this.refusals.push(refusal));
    if (effects.roleChange !== null) this.roleChanges.push(effects.roleChange);
    if (effects.restore !== null) {
      this.restoring = effects.restore;
      this.unapplied = [];
    }
    this.unapplied.push(...effects.committed);
    return effects;
  }

  /** Completes the oldest write; its messages may leave now. */
  finishWrite(): PersistRequest | null {
    const request = this.writes.shift();
    if (request === undefined) return null;
    this.#toDisk(request);
    return request;
  }

  compact(index: Index): void {
    const meta = this.raft.snapshotMeta(index);
    this.durableApplied = Math.max(this.durableApplied, index);
    this.durable.compact(meta);
    this.memory.compact(meta);
    this.step({ kind: 'compact', index });
  }

  #toDisk(request: PersistRequest): void {
    this.durable.write(request);
    if (request.hardState !== null) this.durableHardState = request.hardState;
  }

  #answer(id: number, note: () => unknown): void {
    if (this.reads.has(id) || this.accepted.has(id) || this.refusals.some((refusal) => refusal.id === id)) {
      throw new Error(`request ${id} was answered twice`);
    }
    note();
  }

  #boot(): Raft {
    this.#starts += 1;
    return new Raft({ id: this.id, session: this.session, random: this.#options.random }, this.#options.raft, {
      hardState: this.durableHardState,
      snapshot: this.durable.snapshot,
      entries: this.durable.entries,
      applied: this.durableApplied,
      initial: this.#options.initial,
    });
  }
}
