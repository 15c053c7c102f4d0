import type { Attempted } from './workload.ts';

/** Who decides which job runs where. Jobs and runners go by their numbers; times are milliseconds of the run. */
export interface Policy {
  readonly name: string;
  /** Is told what happened since the last time, and decides. */
  tick(nowMs: number, told: Told): Decided;
  /** When it wants to be asked though nothing happens; null: not. */
  dueMs(): number | null;
  /** What it has to say of its own work. */
  readonly account: PolicyAccount;
}

export interface Told {
  readonly submitted: readonly number[];
  readonly ended: readonly { readonly job: number; readonly attempt: number; readonly outcome: Attempted }[];
  /** Runners that are lost now; what ran there is, too. */
  readonly lost: readonly number[];
  /** Runners that are back, empty. */
  readonly back: readonly number[];
  /** How many of its processors each machine said last that are busy. */
  readonly busy: Float64Array;
}

export interface Start {
  readonly job: number;
  /** Counted from 1. */
  readonly attempt: number;
  readonly runner: number;
}

export interface Decided {
  readonly starts: readonly Start[];
  /** Jobs that get no further attempt. */
  readonly givenUp: readonly number[];
}

export interface PolicyAccount {
  /** Placements that were proposed and refused. */
  refused: number;
  /** Placements by the node that took the job, that held. */
  atOnce: number;
  /** Decisions of the leader, their processor time, and the longest call. */
  decisions: number;
  decidingMs: number;
  longestCallMs: number;
}

export function emptyAccount(): PolicyAccount {
  return { refused: 0, atOnce: 0, decisions: 0, decidingMs: 0, longestCallMs: 0 };
}
