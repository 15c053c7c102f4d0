import type { PersistRequest } from '../../raft/effects.ts';
import type { Entry, HardState, Index, SnapshotMeta } from '../../raft/types.ts';
import type { StateRecord, StateTable } from '../../src/state/records.ts';
import type { GroupId, JobId } from '../../src/ids.ts';
import type { FinalState, Job, Timestamp } from '../../src/jobs/job.ts';

/** The Raft log and hard state on disk: one LevelDB, one synced batch a write. */
export interface LogStore {
  /** Read once at the opening; what the disk held, checked. */
  readonly loaded: {
    readonly hardState: HardState;
    readonly snapshot: SnapshotMeta | null;
    readonly entries: readonly Entry[];
  };
  /** The core has taken the entries of `loaded`; there they are let go, or they would stay in memory for good. */
  forgetEntries(): void;
  /**
   * Makes a request durable. Calls made while a sync is under way share the next one; they complete in order.
   * `request.snapshot` replaces the log. @throws Fault `diskFull`, `diskFailed`: the store is then closed for good
   */
  persist(request: PersistRequest): Promise<void>;
  /** Forgets entries up to `meta.index`; the caller has made the state machine durable up to there. */
  compact(meta: SnapshotMeta): Promise<void>;
  /** For metrics: syncs done, entries and bytes written, milliseconds of each sync. */
  onSync(listener: (sync: { readonly ms: number; readonly entries: number; readonly bytes: number }) => void): void;
  close(): Promise<void>;
}

/** What jobs have in common that are found without looking at others. */
export type JobsAmong =
  | { readonly by: 'finalState'; readonly value: FinalState }
  | { readonly by: 'group'; readonly value: GroupId }
  | { readonly by: 'parent'; readonly value: JobId }
  | { readonly by: 'schedule'; readonly value: string }
  /** Any but the default one. */
  | { readonly by: 'project' | 'queue'; readonly value: string };

/** A final job, as it is known without reading it. */
export interface KeptJob {
  readonly id: JobId;
  /** The log index of its record. */
  readonly index: Index;
  /** When its time is over. */
  readonly until: Timestamp;
}

/**
 * The state machine's records on disk, a LevelDB of its own. Writes are not synced: the log is the truth, and the
 * applied index in the same batch tells from where to replay.
 */
export interface StateStore {
  readonly applied: Index;
  /** Every record but final jobs, to rebuild the heap at the start, some at a time: one by one would cost a tenth more. */
  load(): AsyncIterable<readonly StateRecord[]>;
  /** One atomic batch of changes together with the applied index. Calls complete in order. */
  write(records: readonly StateRecord[], applied: Index): Promise<void>;
  get<Table extends StateTable>(table: Table, key: string): Promise<StateRecord<Table>['value']>;
  /** All jobs, live and final merged, newest id first, ids below `before` only. */
  jobs(before: string | null): AsyncIterable<Job>;
  /** The same, of those only that have this in common; what it takes does not depend on the others. */
  jobsAmong(among: JobsAmong, before: string | null): AsyncIterable<Job>;
  /** Live jobs alone, in the same way. */
  liveJobs(before: string | null): AsyncIterable<Job>;
  /** Final jobs, those whose time is over first before the others. */
  firstToGo(limit: number): Promise<readonly KeptJob[]>;
  /** Looks at all of them: in steps, some hundred thousand a second. */
  countFinal(): Promise<number>;
  /** Everything written so far survives the loss of power. */
  flush(): Promise<void>;
  /** A frozen view of all records, for a snapshot: the applied index it stands at, and its bytes in chunks. */
  dump(): Promise<{ readonly applied: Index; readonly chunks: AsyncIterable<Uint8Array>; close(): Promise<void> }>;
  close(): Promise<void>;
}

/** Received snapshots: written beside the live state, checked, made durable, then switched to in one rename. */
export interface SnapshotInbox {
  /** @throws Fault `corrupt` when the checksum or the framing is wrong, `diskFull` */
  receive(chunks: AsyncIterable<Uint8Array>): Promise<ReceivedSnapshot>;
}

export interface ReceivedSnapshot {
  readonly applied: Index;
  /** Replaces the state on disk; the given store must be closed. Returns the new one. */
  install(): Promise<StateStore>;
  discard(): Promise<void>;
}
