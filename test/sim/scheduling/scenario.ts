import type { JobSpec } from '../../../src/jobs/spec.ts';
import type { QueueSettings } from '../../../src/jobs/queue-settings.ts';
import type { Distribution } from './distribution.ts';

/** What one run of the simulator is about, but for its size and its seed. Parts are relative to one another. */
export interface Scenario {
  readonly name: string;
  /** One line for the table. */
  readonly about: string;
  readonly runners: readonly RunnerKind[];
  readonly sizes: readonly SizeClass[];
  readonly owners: readonly Owner[];
  readonly arrivals: Arrivals;
  readonly faults: Faults;
  readonly fanOut: FanOut | null;
  /** Of all queues; one run of Quorate for each. */
  readonly strategies: readonly QueueSettings['strategy'][];
  /** What the nodes that take submissions know. */
  readonly view: View;
}

export interface RunnerKind {
  readonly part: number;
  readonly resources: JobSpec['resources'] & { readonly cpu: number };
  readonly labels: Readonly<Record<string, string>>;
}

export interface SizeClass {
  readonly name: string;
  readonly part: number;
  readonly resources: NonNullable<JobSpec['resources']>;
  readonly constraints?: readonly string[];
  readonly duration: Distribution;
  readonly priority?: number;
}

/** A project in a queue. */
export interface Owner {
  readonly queue: string;
  readonly project: string;
  /** Of the queue. */
  readonly weight: number;
  /** Of the submissions. */
  readonly part: number;
}

export interface Arrivals {
  /** Part of the jobs that is there from the start. */
  readonly atOnce: number;
  /** Over how long the rest comes, in times of what the whole cluster needs for all of them at the least. */
  readonly span: number;
  /** How likely it is that a submission is the first of a burst, and how large bursts are. */
  readonly burst: { readonly probability: number; readonly jobs: number };
}

export interface Faults {
  /** Between two losses of one runner, on average; null: none is lost. */
  readonly runnerMtbfMs: number | null;
  /** A part of all runners that is lost at one moment, a third of the span after the start. */
  readonly lostAtOnce: number;
  /** From a death until the leader declares it. */
  readonly leaseMs: number;
  /** From a death until the runner is back, not shorter than the lease. */
  readonly downMs: number;
  /** Part of the attempts that fail, and are tried again. */
  readonly failing: number;
  /** Part of the runners, and by what they are slower than others. */
  readonly slowRunners: { readonly part: number; readonly factor: number };
  /** Part of the attempts that take longer by a factor, wherever they run. */
  readonly stragglers: { readonly part: number; readonly factor: number };
}

/** Some jobs submit others when half of their time is over. */
export interface FanOut {
  /** Part of all jobs that are children. */
  readonly part: number;
  readonly children: number;
}

export interface View {
  /** What comes in a batch is queued, and placed by the leader. */
  readonly submissions: 'one by one' | 'in batches';
  /** By how many entries the replica is behind that takes submissions. */
  readonly lagEntries: number;
  /** How often machines tell their load. */
  readonly gossipMs: number;
  /** Whether nodes propose what comes next together with an end. */
  readonly followOn: 'proposed' | 'left to the leader';
}

export const NO_FAULTS: Faults = {
  runnerMtbfMs: null,
  lostAtOnce: 0,
  leaseMs: 10_000,
  downMs: 60_000,
  failing: 0,
  slowRunners: { part: 0, factor: 1 },
  stragglers: { part: 0, factor: 1 },
};

/** How much of its time an attempt has taken when it fails. */
export const FAILS_AFTER = 0.3;
/** Between a failed attempt and the next one. */
export const BACKOFF_MS = 1000;
/** Failed attempts that a job has at most; its policy allows so many. */
export const MOST_FAILURES = 2;
