import type { Scope } from '../auth.ts';
import type { Incarnation, JobId, NodeId, TokenId } from '../ids.ts';
import type { Job, Timestamp } from '../jobs/job.ts';
import type { Resources } from '../resources/resources.ts';

/** What the replicated state consists of, by table. The storage keeps each as one key and one value. */

export interface RunnerRecord {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  readonly total: Resources;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: 'ready' | 'draining' | 'lost';
  readonly registeredAt: Timestamp;
}

export interface NodeRecord {
  readonly id: NodeId;
  readonly addresses: readonly string[];
  readonly http: string | null;
  readonly version: string;
}

export interface TokenRecord {
  readonly id: TokenId;
  readonly name: string;
  readonly hash: string;
  readonly scopes: readonly Scope[];
  readonly expiresAt: Timestamp | null;
}

export interface JoinTokenRecord {
  readonly id: TokenId;
  readonly hash: string;
  readonly uses: number;
  readonly usedBy: readonly NodeId[];
  readonly expiresAt: Timestamp;
}

export interface IdempotencyRecord {
  readonly job: JobId;
  readonly bodyHash: string;
  readonly expiresAt: Timestamp;
}

/** One record, of the whole cluster. */
export interface ClusterRecord {
  readonly clusterId: string;
  readonly auth: 'required' | 'loopbackOpen';
  /** The entry time last applied: `at` never goes back. */
  readonly clock: Timestamp;
  /** Submissions ever taken. */
  readonly submissions: number;
}

export interface StateTables {
  readonly cluster: ClusterRecord;
  readonly job: Job;
  readonly runner: RunnerRecord;
  readonly node: NodeRecord;
  readonly token: TokenRecord;
  readonly joinToken: JoinTokenRecord;
  /** Key: principal id, NUL, the client's key. */
  readonly idempotency: IdempotencyRecord;
}

export type StateTable = keyof StateTables;

/** A record as it now is; null: it is gone. */
export type StateRecord<Table extends StateTable = StateTable> = {
  readonly [Name in Table]: { readonly table: Name; readonly key: string; readonly value: StateTables[Name] | null };
}[Table];
