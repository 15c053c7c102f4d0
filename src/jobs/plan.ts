import type { Constraint } from '../resources/constraint.ts';
import type { Resources } from '../resources/resources.ts';
import type { Outcome, Timestamp } from './job.ts';

/** What the state machine and the scheduler need of a spec, as numbers, derived once at submission. */
export interface JobPlan {
  readonly project: string;
  readonly queue: string;
  readonly priority: number;
  readonly demand: Resources;
  readonly constraints: readonly Constraint[];
  /** Of one attempt's run; null for none. */
  readonly timeoutMs: number | null;
  readonly queueTimeoutMs: number | null;
  readonly notBefore: Timestamp | null;
  readonly retry: RetryPlan;
}

export interface RetryPlan {
  /** Further attempts after ones that failed or timed out. */
  readonly max: number;
  readonly on: readonly Extract<Outcome, 'failed' | 'timedOut'>[];
  /** Null: any exit code. */
  readonly exitCodes: readonly number[] | null;
  /** Further attempts after lost ones; 0 with `retry: never`. */
  readonly lostMax: number;
  readonly backoff: { readonly initialMs: number; readonly factor: number; readonly maxMs: number };
}
